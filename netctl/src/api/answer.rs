//! Requests read and errors answered in one form.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{Method, StatusCode, Uri, request::Parts},
    response::{IntoResponse, Response},
};
use serde::de::DeserializeOwned;

use super::types::Problem;
use crate::service::Error;

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Missing(_) => StatusCode::NOT_FOUND,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        problem(status, self.to_string())
    }
}

pub(super) fn problem(status: StatusCode, error: String) -> Response {
    (status, Json(Problem { error })).into_response()
}

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        match Json::from_request(request, state).await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(problem(
                StatusCode::BAD_REQUEST,
                format!("request body: {}", rejection.body_text()),
            )),
        }
    }
}

/// The part of the address behind the question mark.
pub(super) struct Options<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Options<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(options)) => Ok(Self(options)),
            Err(rejection) => Err(problem(
                StatusCode::BAD_REQUEST,
                format!("request options: {}", rejection.body_text()),
            )),
        }
    }
}

pub(super) async fn no_route(method: Method, uri: Uri) -> Response {
    problem(
        StatusCode::NOT_FOUND,
        format!("{method} {}: this netctl has no such route", uri.path()),
    )
}

pub(super) async fn no_method(method: Method, uri: Uri) -> Response {
    problem(
        StatusCode::METHOD_NOT_ALLOWED,
        format!(
            "{method} {}: the route exists, but not with this method",
            uri.path()
        ),
    )
}
