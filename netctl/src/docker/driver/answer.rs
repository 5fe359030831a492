//! Requests read and answers written in Docker's form.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    http::{StatusCode, Uri},
    response::{IntoResponse, Response},
    routing::{MethodRouter, post},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::Ready;
use crate::service::{Error, Result, Service};

/// A method that is answered by the service. `key`: what an error is called in the answer, which is
/// another word with each of the two drivers.
pub(super) fn method<Q, A, F>(
    key: &'static str,
    call: impl Fn(Arc<Service>, Q) -> F + Clone + Send + Sync + 'static,
) -> MethodRouter<Ready>
where
    Q: DeserializeOwned + Send + 'static,
    A: Serialize + Send + 'static,
    F: Future<Output = Result<A>> + Send + 'static,
{
    post(
        move |State(ready): State<Ready>, uri: Uri, body: Bytes| async move {
            let answer = answer(ready, &body, call).await;
            if let Err(error) = &answer {
                tracing::warn!("{}: {error}", uri.path());
            }
            written(key, answer)
        },
    )
}

async fn answer<Q, A, F>(
    mut ready: Ready,
    body: &Bytes,
    call: impl Fn(Arc<Service>, Q) -> F,
) -> Result<A>
where
    Q: DeserializeOwned,
    A: Send + 'static,
    F: Future<Output = Result<A>> + Send + 'static,
{
    // Docker names no content type.
    let request = serde_json::from_slice(body)
        .map_err(|e| Error::Invalid(format!("netctl does not understand the request: {e}")))?;
    let service = ready.wait_for(Option::is_some).await;
    let service = service.ok().and_then(|service| service.clone());
    let ended = || Error::Failed("netctl ends; try again".into());
    let operation = call(service.ok_or_else(ended)?, request);
    // To its end, even if Docker goes away.
    let done = tokio::spawn(operation).await;
    done.unwrap_or_else(|e| Err(Error::internal(&e)))
}

fn written<A: Serialize>(key: &str, answer: Result<A>) -> Response {
    let value = match answer {
        Ok(answer) => serde_json::to_value(answer).map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let value = match value {
        // Docker wants an object, also where there is nothing to say.
        Ok(Value::Null) => json!({}),
        Ok(value) => value,
        Err(text) => json!({ key: text }),
    };
    Json(value).into_response()
}

/// A method whose answer never changes.
pub(super) fn constant(value: Value) -> MethodRouter<Ready> {
    post(move || std::future::ready(Json(value.clone())))
}

pub(super) async fn activate() -> Json<Value> {
    Json(json!({ "Implements": ["NetworkDriver", "IpamDriver"] }))
}

/// Docker takes 404 for a method that a driver of its time did not have.
pub(super) async fn no_method(uri: Uri) -> Response {
    let text = format!("netctl has no method {}", uri.path());
    (StatusCode::NOT_FOUND, Json(json!({ "Err": text }))).into_response()
}
