//! Bad input by the real command line: an error that names it, and nothing changed.

use netctl_tests::lab::Lab;

use crate::usual;

/// Everything that an operation could have changed, in the words of netctl and of the kernel.
fn everything(lab: &Lab) -> String {
    let mut text = String::new();
    for words in ["network ls -o json", "ns ls -o json", "port ls -o json"] {
        text.push_str(&lab.netctl(words).ok().stdout);
    }
    let links = lab.host().links();
    for link in links {
        text.push_str(&format!("{} {:?}\n", link.name, link.mac));
    }
    text.push_str(&lab.ip("netns list"));
    text
}

/// Words of a command (`~` stands for a space inside a word), the exit code, parts of the error.
const TABLE: &[(&str, i32, &[&str])] = &[
    // Networks.
    ("network create net1", 1, &["net1"]),
    (
        "network create x --subnet 172.18.0.0/25",
        1,
        &["172.18.0.0/25", "net1"],
    ),
    (
        "network create x --subnet 172.18.0.0/16",
        1,
        &["172.18.0.0/16", "net1"],
    ),
    (
        "network create x --subnet 198.51.100.0/24",
        1,
        &["198.51.100.0/24"],
    ),
    ("network create x --subnet 172.30.0.0", 1, &["172.30.0.0"]),
    (
        "network create x --subnet 172.30.0.0/33",
        1,
        &["172.30.0.0/33"],
    ),
    (
        "network create x --subnet 172.30.0.5/24",
        1,
        &["172.30.0.5/24"],
    ),
    (
        "network create x --subnet 172.30.0.0/32",
        1,
        &["172.30.0.0/32"],
    ),
    (
        "network create x --subnet 127.0.0.0/24",
        1,
        &["127.0.0.0/24"],
    ),
    (
        "network create x --subnet 224.0.0.0/24",
        1,
        &["224.0.0.0/24"],
    ),
    ("network create x --subnet nonsense", 1, &["nonsense"]),
    (
        "network create x --subnet 172.30.0.0/24 --gateway 172.31.0.1",
        1,
        &["172.31.0.1"],
    ),
    (
        "network create x --subnet 172.30.0.0/24 --gateway 172.30.0.0",
        1,
        &["172.30.0.0"],
    ),
    (
        "network create x --subnet 172.30.0.0/24 --gateway 172.30.0.255",
        1,
        &["172.30.0.255"],
    ),
    (
        "network create x --subnet 172.30.0.0/24 --ip-range 172.31.0.0/25",
        1,
        &["172.31.0.0/25"],
    ),
    (
        "network create x --subnet 172.30.0.0/24 --mtu 10",
        1,
        &["10"],
    ),
    (
        "network create x --subnet 172.30.0.0/24 --mtu 99999999",
        1,
        &["99999999"],
    ),
    ("network create a/b", 1, &["a/b"]),
    ("network create ..", 1, &[".."]),
    ("network create 🦀", 1, &["🦀"]),
    ("network create a~b", 1, &["a b"]),
    ("network rm nowhere", 1, &["nowhere"]),
    ("network rm net1", 1, &["net1", "web"]),
    ("network inspect nowhere", 1, &["nowhere"]),
    ("network connect nowhere web", 1, &["nowhere"]),
    ("network connect net1 nobody", 1, &["nobody"]),
    ("network connect net1 web", 1, &["web", "net1"]),
    ("network disconnect net2 web", 1, &["net2", "web"]),
    // Namespaces.
    ("ns create web --network net1", 1, &["web"]),
    ("ns create x --network nowhere", 1, &["nowhere"]),
    (
        "ns create x --network net1 --ip 172.18.0.2",
        1,
        &["172.18.0.2", "web"],
    ),
    (
        "ns create x --network net1 --ip 172.18.0.1",
        1,
        &["172.18.0.1", "gateway"],
    ),
    (
        "ns create x --network net1 --ip 172.18.0.255",
        1,
        &["172.18.0.255"],
    ),
    (
        "ns create x --network net1 --ip 10.0.0.1",
        1,
        &["10.0.0.1", "172.18.0.0/24"],
    ),
    (
        "ns create x --network net1 --ip 300.1.1.1",
        1,
        &["300.1.1.1"],
    ),
    (
        "ns create x --network net1 --mac 01:00:00:00:00:01",
        1,
        &["01:00:00:00:00:01"],
    ),
    ("ns create x --network net1 --mac 02:00", 1, &["02:00"]),
    (
        "ns create x --network net1 --netns /run/netns/missing",
        1,
        &["/run/netns/missing"],
    ),
    (
        "ns create x --network net1 --netns /etc/passwd",
        1,
        &["/etc/passwd"],
    ),
    ("ns create x --network net1 --pid 4194303", 1, &["4194303"]),
    (
        "ns create x --network net1 --pid 1 --netns /run/netns/web",
        2,
        &["--pid"],
    ),
    ("ns create a/b --network net1", 1, &["a/b"]),
    ("ns create ../up --network net1", 1, &["../up"]),
    ("ns create 🦀 --network net1", 1, &["🦀"]),
    ("ns rm nobody", 1, &["nobody"]),
    ("ns inspect nobody", 1, &["nobody"]),
    ("ns exec nobody -- true", 1, &["nobody"]),
    // Ports.
    ("port add web 0:80", 1, &["0:80"]),
    ("port add web 65536:80", 1, &["65536"]),
    ("port add web 80:0", 1, &["80:0"]),
    ("port add web 9010-9000:80-90", 1, &["9010-9000"]),
    ("port add web 9000-9010:80-85", 1, &["9000-9010"]),
    ("port add web 9000:80/icmp", 1, &["icmp"]),
    ("port add web 9000:", 1, &["9000:"]),
    ("port add web 203.0.113.5:9000:80", 1, &["203.0.113.5"]),
    ("port add web [::1]:9000:80", 1, &["::1"]),
    ("port add web 9000:80 9001:80/bad", 1, &["bad"]),
    ("port add web 8080:90", 1, &["8080"]),
    ("port add nobody 9000:80", 1, &["nobody"]),
    ("port rm web 9000:80", 1, &["9000:80"]),
    ("flows --ns nobody", 1, &["nobody"]),
    // Usage.
    ("network", 2, &[]),
    ("frobnicate", 2, &["frobnicate"]),
    ("ns create", 2, &[]),
    ("port add web", 2, &[]),
    ("network ls -o yaml", 2, &["yaml"]),
];

#[test]
fn each_is_refused_by_name_and_changes_nothing() {
    let lab = usual::lab();
    lab.populate(
        "net1 --subnet 172.18.0.0/24",
        &[("web", "--ip 172.18.0.2 -p 8080:80")],
    );
    lab.netctl("network create net2 --subnet 172.19.0.0/24")
        .ok();
    let before = everything(&lab);
    let mut wrong = Vec::new();
    for (words, code, parts) in TABLE {
        let words: Vec<String> = words
            .split(' ')
            .map(|word| word.replace('~', " "))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let done = lab.netctl_words(&words);
        let missing: Vec<&&str> = parts
            .iter()
            .filter(|part| !done.stderr.contains(**part))
            .collect();
        if done.code != *code || !missing.is_empty() || done.stderr.contains("panicked") {
            wrong.push(format!(
                "netctl {}: exit {} (wanted {code}), not named: {missing:?}\n    {}",
                done.words,
                done.code,
                done.stderr.trim()
            ));
        }
        if everything(&lab) != before {
            wrong.push(format!("netctl {}: changed something", done.words));
            break;
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        TABLE.len(),
        wrong.join("\n")
    );
}

#[test]
fn names_beyond_reason() {
    let lab = usual::lab();
    let long = "n".repeat(300);
    let before = everything(&lab);
    lab.netctl_words(&["network", "create", &long])
        .fails_with(1, &["nnnn", "300"]);
    lab.netctl_words(&["network", "create", ""])
        .fails_with(1, &["empty"]);
    lab.netctl_words(&["network", "create", "line\nbreak"])
        .fails_with(1, &["name"]);
    assert_eq!(everything(&lab), before);
}

/// A NUL cannot be passed on a command line; the socket takes any bytes.
#[test]
fn requests_that_no_command_line_would_make() {
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
    };
    let lab = usual::lab();
    let socket = lab.run().join("netctl.sock");
    for body in [
        r#"{"name":"a\u0000b"}"#,
        r#"{"name":7}"#,
        "{",
        r#"{"name":"x","unknown":1}"#,
        "",
    ] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        write!(
            stream,
            "POST /v1/networks HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 4"), "{body}: {answer}");
    }
    assert_eq!(
        lab.netctl("network ls -o json").json(),
        serde_json::json!([])
    );
}
