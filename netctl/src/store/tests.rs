use std::{
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::PermissionsExt,
};

use super::*;
use crate::model::{Endpoint, Netns, Network, Proto, PublishedPort, Sandbox, ipam};

fn model() -> Model {
    let gateway = Ipv4Addr::new(10, 1, 2, 1);
    let addr = Ipv4Addr::new(10, 1, 2, 2);
    let network = Network {
        id: 1,
        name: "net".into(),
        subnet: "10.1.2.0/24".parse().unwrap(),
        gateway,
        ip_range: None,
        mtu: Some(1400),
        mac: ipam::mac_of(gateway),
        internal: false,
        masquerade: true,
        icc: true,
    };
    let sandbox = Sandbox {
        name: "web".into(),
        netns: Netns::Path {
            path: "/run/netns/x".into(),
            inode: 4,
        },
    };
    let endpoint = Endpoint {
        id: 7,
        network: 1,
        sandbox: "web".into(),
        ifname: "eth0".into(),
        mac: ipam::mac_of(addr),
        addr,
    };
    let port = PublishedPort {
        id: 3,
        sandbox: "web".into(),
        host_ip: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        host_port: 8080,
        container_port: 80,
        count: 1,
        proto: Proto::Tcp,
    };
    Model {
        networks: [(1, network.into())].into(),
        sandboxes: [("web".into(), sandbox.into())].into(),
        endpoints: [(7, endpoint.into())].into(),
        ports: [(3, port.into())].into(),
        last_endpoint: 9,
        last_port: 3,
    }
}

/// A folder with a state file in it that holds `model()`.
fn filled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (store, empty) = Store::open(dir.path()).unwrap();
    let model = model();
    store
        .apply(&Delta::between(&empty, &model), &model)
        .unwrap();
    dir
}

#[test]
fn what_is_written_is_read_again() {
    let dir = filled();
    let (store, read) = Store::open(dir.path()).unwrap();
    assert_eq!(read, model());
    let mode = fs::metadata(dir.path().join(FILE))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let less = Model {
        ports: Default::default(),
        endpoints: Default::default(),
        ..model()
    };
    store
        .apply(&Delta::between(&model(), &less), &less)
        .unwrap();
    drop(store);
    let (_store, read) = Store::open(dir.path()).unwrap();
    assert_eq!(read, less);
}

#[test]
fn a_second_opener_is_told_so() {
    let dir = filled();
    let _first = Store::open(dir.path()).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    assert!(error.to_string().contains("--state"), "{error}");
}

/// Overwrites the state file, tries to open it, checks that it was refused and left alone.
fn refused(bytes: &[u8]) -> StoreError {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    fs::write(&path, bytes).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(fs::read(&path).unwrap() == bytes, "changed: {error}");
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "something was left"
    );
    assert!(
        error.to_string().contains(path.to_str().unwrap()),
        "{error}"
    );
    error
}

#[test]
fn a_truncated_file_is_refused_unchanged() {
    let dir = filled();
    let bytes = fs::read(dir.path().join(FILE)).unwrap();
    for length in [
        0,
        5,
        9,
        100,
        319,
        320,
        512,
        4096,
        8192,
        bytes.len() / 2,
        bytes.len() - 4096,
    ] {
        let error = refused(&bytes[..length]);
        assert!(
            matches!(error, StoreError::Damaged { .. }),
            "{length}: {error}"
        );
        assert!(
            error
                .to_string()
                .contains("put a copy back, or move it away"),
            "{error}"
        );
    }
}

#[test]
fn a_foreign_file_is_refused_unchanged() {
    let error = refused(b"this is somebody's letter, not a database at all");
    assert!(
        error.to_string().contains("it is no redb database"),
        "{error}"
    );

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("other");
    let db = Database::create(&path).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(TableDefinition::<u64, u64>::new("theirs"))
        .unwrap();
    txn.commit().unwrap();
    drop(db);
    let error = refused(&fs::read(&path).unwrap());
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[test]
fn a_newer_file_is_refused_unchanged() {
    let dir = filled();
    let path = dir.path().join(FILE);
    let db = Database::open(&path).unwrap();
    let txn = db.begin_write().unwrap();
    txn.open_table(NUMBERS)
        .unwrap()
        .insert("version", 2)
        .unwrap();
    txn.commit().unwrap();
    drop(db);
    let error = refused(&fs::read(&path).unwrap());
    assert!(
        error
            .to_string()
            .contains("has version 2, this netctl knows 1"),
        "{error}"
    );
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("state")).unwrap_err().to_string();
    assert!(error.contains("file/state"), "{error}");
}
