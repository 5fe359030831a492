use std::{net::Ipv4Addr, os::unix::fs::PermissionsExt, path::Path};

use super::*;
use crate::model::{Filtering, Netns, Proto, Rules, Subnet, ipam};

fn model() -> Model {
    let gateway = Ipv4Addr::new(10, 1, 2, 1);
    let addr = Ipv4Addr::new(10, 1, 2, 2);
    let network = Network {
        id: 1,
        name: "net".into(),
        ipv4: Some(Subnet {
            subnet: "10.1.2.0/24".parse().unwrap(),
            gateway,
            ip_range: None,
        }),
        ipv6: Some(Subnet {
            subnet: "fd00:1::/64".parse().unwrap(),
            gateway: "fd00:1::1".parse().unwrap(),
            ip_range: Some("fd00:1::100/120".parse().unwrap()),
        }),
        mtu: Some(1400),
        mac: ipam::mac_of(gateway),
        internal: false,
        masquerade: true,
        icc: true,
        mapping: None,
        filtering: Some(Filtering::AddressDependent),
        driver: None,
        modes: Default::default(),
        adopted: None,
    };
    let sandbox = Sandbox {
        name: "web".into(),
        netns: Netns::Path {
            path: "/run/netns/x".into(),
            inode: 4,
        },
        adopted: None,
    };
    let endpoint = Endpoint {
        id: 7,
        network: 1,
        sandbox: "web".into(),
        ifname: "eth0".into(),
        mac: ipam::mac_of(addr),
        addr: Some(addr),
        addr6: Some("fd00:1::100".parse().unwrap()),
        driver: None,
        adopted: None,
    };
    let port = PublishedPort {
        id: 3,
        sandbox: "web".into(),
        host_ip: None,
        host_port: 8080,
        container_port: 80,
        count: 1,
        proto: Proto::Tcp,
        joined: None,
        adopted: false,
        rules: Rules::default(),
    };
    let member = Member {
        network: 1,
        mac: ipam::mac_of(addr),
        addr: Some(addr),
        addr6: None,
    };
    let pool = Pool {
        subnet: "10.1.2.0/24".parse().unwrap(),
        range: Some("10.1.2.128/25".parse().unwrap()),
        taken: [addr.into()].into(),
    };
    Model {
        networks: [(1, network.into())].into(),
        sandboxes: [("web".into(), sandbox.into())].into(),
        endpoints: [(7, endpoint.into())].into(),
        ports: [(3, port.into())].into(),
        members: [("e1".into(), member.into())].into(),
        pools: [("p1".into(), pool.into())].into(),
        others: [("br0".into(), "shop".to_owned().into())].into(),
        last_endpoint: 9,
        last_port: 3,
        global_id: Some(0xa1_b2c3_d4e5),
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
    write(dir.path(), |txn| {
        let mut numbers = txn.open_table(NUMBERS).unwrap();
        numbers.insert("version", VERSION + 1).unwrap();
    });
    let error = refused(&fs::read(dir.path().join(FILE)).unwrap());
    assert!(
        error
            .to_string()
            .contains("has version 5, this netctl knows 4"),
        "{error}"
    );
}

/// Writes into a state file as another version would.
fn write(folder: &Path, rows: impl FnOnce(&redb::WriteTransaction)) {
    let db = Database::open(folder.join(FILE)).unwrap();
    let txn = db.begin_write().unwrap();
    rows(&txn);
    txn.commit().unwrap();
}

/// What a state file of an older version holds, which is written anew as of this one.
#[track_caller]
fn read_twice(folder: &Path) -> Model {
    let (store, read) = Store::open(folder).unwrap();
    drop(store);
    let (store, again) = Store::open(folder).unwrap();
    assert_eq!(again, read);
    let txn = store.db.begin_read().unwrap();
    let numbers = txn.open_table(NUMBERS).unwrap();
    assert_eq!(numbers.get("version").unwrap().unwrap().value(), VERSION);
    read
}

/// As version 1 wrote it, to the letter.
#[test]
fn a_file_of_version_1_is_read_and_written_anew() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    write(dir.path(), |txn| {
        let row = |definition: ById, id: u32, json: &'static str| {
            txn.open_table(definition)
                .unwrap()
                .insert(id, json)
                .unwrap();
        };
        row(
            NETWORKS,
            1,
            r#"{"id":1,"name":"net","subnet":"10.1.2.0/24","gateway":"10.1.2.1","ip_range":null,"mtu":null,"mac":"02:6e:0a:01:02:01","internal":false,"masquerade":true,"icc":true}"#,
        );
        row(
            ENDPOINTS,
            7,
            r#"{"id":7,"network":1,"sandbox":"web","ifname":"eth0","mac":"02:6e:0a:01:02:02","addr":"10.1.2.2"}"#,
        );
        row(
            PORTS,
            3,
            r#"{"id":3,"sandbox":"web","host_ip":"0.0.0.0","host_port":8080,"container_port":80,"count":1,"proto":"tcp"}"#,
        );
        row(
            PORTS,
            4,
            r#"{"id":4,"sandbox":"web","host_ip":"127.0.0.1","host_port":9,"container_port":9,"count":1,"proto":"udp"}"#,
        );
        txn.open_table(SANDBOXES)
            .unwrap()
            .insert("web", r#"{"name":"web","netns":{"kind":"named"}}"#)
            .unwrap();
        for (name, number) in [("version", 1), ("last_endpoint", 9), ("last_port", 5)] {
            let mut numbers = txn.open_table(NUMBERS).unwrap();
            numbers.insert(name, number).unwrap();
        }
    });
    let read = read_twice(dir.path());
    let network = read.networks[&1].ipv4.unwrap();
    assert_eq!(network.gateway, Ipv4Addr::new(10, 1, 2, 1));
    assert_eq!(read.networks[&1].ipv6, None);
    assert_eq!(read.endpoints[&7].addr, Some(Ipv4Addr::new(10, 1, 2, 2)));
    assert_eq!(read.endpoints[&7].addr6, None);
    assert_eq!(read.ports[&3].host_ip, None, "every address");
    assert_eq!(read.ports[&4].to_string(), "127.0.0.1:9:9/udp");
    assert_eq!(read.sandboxes["web"].netns, Netns::Named);
    assert_eq!((read.last_endpoint, read.last_port), (9, 5));
}

/// As version 3 wrote it, to the letter: a container had an id and nothing else.
#[test]
fn a_container_of_version_3_is_read_and_written_anew() {
    let dir = filled();
    let old = r#"{"name":"web","netns":{"kind":"path","path":"/run/netns/x","inode":4},"adopted":{"id":"0123"}}"#;
    write(dir.path(), |txn| {
        let mut sandboxes = txn.open_table(SANDBOXES).unwrap();
        sandboxes.insert("web", old).unwrap();
        let mut numbers = txn.open_table(NUMBERS).unwrap();
        numbers.insert("version", 3).unwrap();
    });
    let read = read_twice(dir.path());
    let container = read.sandboxes["web"].adopted.clone().unwrap();
    assert_eq!(
        (container.id.as_deref(), &*container.name),
        (Some("0123"), "")
    );
    assert_eq!(container.compose, None);
}

/// As one of before the network driver wrote it: without its tables.
#[test]
fn a_file_without_the_drivers_tables_is_read() {
    let dir = filled();
    write(dir.path(), |txn| {
        txn.delete_table(MEMBERS).unwrap();
        txn.delete_table(POOLS).unwrap();
    });
    let (store, read) = Store::open(dir.path()).unwrap();
    let expected = Model {
        members: Default::default(),
        pools: Default::default(),
        ..model()
    };
    assert_eq!(read, expected);
    store
        .apply(&Delta::between(&read, &model()), &model())
        .unwrap();
    drop(store);
    let (_store, again) = Store::open(dir.path()).unwrap();
    assert_eq!(again, model());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Store::open(&file.join("state")).unwrap_err().to_string();
    assert!(error.contains("file/state"), "{error}");
}
