//! The socket: whose it is, what is left of it, who waits at it.

use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

use super::*;

#[tokio::test]
async fn it_is_made_and_taken_away_with_its_folders() {
    let run = tempfile::tempdir().unwrap();
    let path = run.path().join("docker/plugins/netctl.sock");
    let (listener, socket) = Socket::listen(&path).unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // What else Docker keeps there is root's alone.
    let folder = fs::metadata(run.path().join("docker")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o777, 0o700);
    let error = Socket::listen(&path).err().unwrap().to_string();
    assert!(
        error.contains("another netctl") && error.contains("netctl.sock"),
        "{error}"
    );
    Socket::sweep(&path).unwrap();
    assert!(path.exists(), "somebody answers");
    // A daemon that is killed leaves the file, and the next one takes its place.
    drop(listener);
    let (_listener, next) = Socket::listen(&path).unwrap();
    drop(socket);
    assert!(path.exists(), "it is the next one's");
    drop(next);
    assert!(!path.exists());
    let (listener, socket) = Socket::listen(&path).unwrap();
    drop(listener);
    Socket::sweep(&path).unwrap();
    assert!(!path.exists());
    fs::write(run.path().join("docker/plugins/other.sock"), "").unwrap();
    drop(socket);
    assert!(run.path().join("docker/plugins/other.sock").exists());
}

#[tokio::test]
async fn docker_waits_for_a_netctl_that_starts() {
    let run = tempfile::tempdir().unwrap();
    let (listener, _socket) = Socket::listen(&run.path().join("netctl.sock")).unwrap();
    let (start, ready) = watch::channel(None);
    tokio::spawn(serve(listener, ready, std::future::pending()));
    let client = Client::new(run.path());
    // What never changes is answered at once.
    let answer: Value = client
        .post("/NetworkDriver.GetCapabilities", &json!({}))
        .await
        .unwrap();
    assert_eq!(answer["Scope"], "local");
    let request = network(json!({}));
    let created = client.post::<Value>("/NetworkDriver.CreateNetwork", &request);
    let mut created = std::pin::pin!(created);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut created).await;
    assert!(early.is_err(), "{early:?}");
    let (service, _fake, _state) = service();
    start.send_replace(Some(Arc::clone(&service)));
    assert_eq!(created.await.unwrap(), json!({}));
    assert_eq!(service.model().networks.len(), 1);
    // One that never gets there says so.
    let (gone, ready) = watch::channel(None);
    drop(gone);
    let other = tempfile::tempdir().unwrap();
    let (listener, _socket) = Socket::listen(&other.path().join("netctl.sock")).unwrap();
    tokio::spawn(serve(listener, ready, std::future::pending()));
    let client = Client::new(other.path());
    let answer: Value = client
        .post("/NetworkDriver.CreateNetwork", &request)
        .await
        .unwrap();
    assert!(
        answer["Err"].as_str().unwrap().contains("try again"),
        "{answer}"
    );
}
