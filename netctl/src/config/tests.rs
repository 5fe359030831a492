use super::*;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(text, Path::new("/tmp/x.toml")).map_err(|e| e.to_string())
}

#[test]
fn an_empty_file_means_the_defaults() {
    assert_eq!(parse(""), Ok(Config::default()));
    let config = Config::default();
    assert_eq!(config.daemon.state, Path::new("/var/lib/netctl"));
    assert_eq!(config.datapath.nat_ports, None);
    config.check(Path::new("defaults")).unwrap();
}

#[test]
fn every_key_is_read() {
    let config = parse(
        r#"
        [daemon]
        state = "/s"
        run = "/r"
        bpffs = "/b"
        cgroup = "/c"
        metrics = ""
        uplinks = ["eth1"]
        resync_seconds = 5
        [datapath]
        attach = "clsact"
        redirect = "plain"
        xdp = "off"
        max_flows = 10
        max_flows6 = 11
        max_endpoints = 20
        nat_ports = "100-200"
        [timeouts]
        tcp_established = 1
        tcp_opening = 2
        tcp_closing = 3
        udp = 4
        icmp = 5
        sctp = 6
        generic = 7
        [network]
        pools = [{ base = "10.0.0.0/8", size = 16 }, { base = "fd00::/40", size = 64 }]
        [nat]
        mapping = "address-and-port-dependent"
        filtering = "address-dependent"
        [docker]
        adopt = true
        driver = false
        socket = "/d"
        ip_masq = false
        icc = false
        "#,
    )
    .unwrap();
    let docker = Docker {
        adopt: true,
        driver: false,
        socket: "/d".into(),
        ip_masq: false,
        icc: false,
    };
    assert_eq!(config.docker, docker);
    assert_eq!(config.daemon.metrics, None);
    assert_eq!(config.daemon.cgroup.as_deref(), Some(Path::new("/c")));
    assert_eq!(config.datapath.attach, AttachMode::Clsact);
    assert_eq!(config.datapath.redirect, RedirectMode::Plain);
    assert_eq!(config.datapath.xdp, XdpMode::Off);
    assert_eq!(
        config.datapath.nat_ports,
        Some(PortRange {
            first: 100,
            last: 200
        })
    );
    assert_eq!(config.timeouts.tcp_opening, 2);
    assert_eq!(config.timeouts.tcp_closing, 3);
    assert_eq!(config.timeouts.icmp, 5);
    assert_eq!((config.timeouts.sctp, config.timeouts.generic), (6, 7));
    assert_eq!(config.network.pools[0].size, 16);
    assert_eq!(config.network.pools[1].size, 64);
    assert_eq!(config.nat.mapping, Mapping::AddressAndPortDependent);
    assert_eq!(config.nat.filtering, Filtering::AddressDependent);
}

/// The default range and the one that the host's processes draw from never meet.
#[test]
fn masquerade_draws_beside_the_hosts_own_ports() {
    for (local, expected) in [
        ((32_768, 60_999), (1_024, 32_767)),
        ((15_000, 35_000), (35_001, 65_535)),
        ((49_152, 65_535), (1_024, 49_151)),
        ((1, 40_000), (40_001, 65_535)),
    ] {
        let PortRange { first, last } = defaults::nat_ports(local);
        assert_eq!((first, last), expected, "beside {local:?}");
    }
    assert_eq!(
        parse("[datapath]\nnat_ports = \"auto\"\n"),
        Ok(Config::default())
    );
}

#[test]
fn timeouts_shorter_than_the_rfcs_ask_for_are_told() {
    assert_eq!(Config::default().timeouts.warnings(), Vec::<String>::new());
    let short = "[timeouts]\ntcp_established = 7439\ntcp_opening = 239\ntcp_closing = 239\nudp = 119\nicmp = 59\nsctp = 89\ngeneric = 119\n";
    let warnings = parse(short).unwrap().timeouts.warnings();
    assert_eq!(warnings.len(), 7, "{warnings:?}");
    assert!(
        warnings[1].contains("timeouts.tcp_opening = 239: RFC 5382, REQ-5 asks for at least 240"),
        "{warnings:?}"
    );
    let enough = "[timeouts]\ntcp_established = 7440\ntcp_opening = 240\ntcp_closing = 240\nudp = 120\nicmp = 60\nsctp = 90\ngeneric = 120\n";
    let config = parse(enough).unwrap();
    assert_eq!(config.timeouts.warnings(), Vec::<String>::new());
}

#[test]
fn every_refusal_names_file_place_and_reason() {
    for (text, expected) in [
        (
            "[daemon]\n\nstaet = \"/x\"\n",
            "/tmp/x.toml, line 3: unknown field `staet`, expected one of `state`, `run`",
        ),
        (
            "[deamon]\n",
            "line 1: unknown field `deamon`, expected one of `daemon`, `datapath`",
        ),
        ("[daemon\n", "/tmp/x.toml, line 1: "),
        (
            "[daemon]\nmetrics = \"9469\"\n",
            "\"9469\" is not ADDRESS:PORT; write for example 127.0.0.1:9469",
        ),
        (
            "[daemon]\nresync_seconds = 0\n",
            "daemon.resync_seconds = 0: must be at least one second",
        ),
        (
            "[daemon]\nresync_seconds = -1\n",
            "line 2: invalid value: integer `-1`",
        ),
        (
            "[datapath]\nattach = \"xdp\"\n",
            "unknown variant `xdp`, expected one of `auto`, `tcx`, `clsact`",
        ),
        (
            "[datapath]\nnat_ports = \"9-1\"\n",
            "\"9-1\" is not a range of ports; write for example",
        ),
        (
            "[datapath]\nmax_flows = 0\n",
            "datapath.max_flows = 0: must be at least 1",
        ),
        (
            "[datapath]\nmax_endpoints = 65537\n",
            "datapath.max_endpoints = 65537: must be at most 65536",
        ),
        (
            "[timeouts]\nudp = 0\n",
            "timeouts.udp = 0: must be at least one second",
        ),
        (
            "[network]\npools = [{ base = \"10.0.0.1/8\", size = 16 }]\n",
            "has host bits set; clear them",
        ),
        (
            "[network]\npools = [{ base = \"10.0.0.0/16\", size = 8 }]\n",
            "size is a prefix length",
        ),
        (
            "[network]\npools = [{ base = \"fd00::/48\", size = 127 }]\n",
            "size is a prefix length from the base's to 126",
        ),
        (
            "[nat]\nmapping = \"symmetric\"\n",
            "unknown variant `symmetric`, expected `endpoint-independent` or `address-and-port-dependent`",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
        assert!(error.contains("/tmp/x.toml"), "{error}");
    }
}

#[test]
fn a_socket_of_the_engine_is_a_path() {
    let error = parse("[docker]\nadopt = true\nsocket = \"tcp://x:1\"\n").unwrap_err();
    for part in ["docker.socket", "tcp://x:1", "absolute path"] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[test]
fn a_named_file_has_to_exist() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing.toml");
    let error = Config::load(Some(&path)).unwrap_err();
    assert!(error.to_string().contains("missing.toml"), "{error}");
    fs::write(&path, "[timeouts]\nudp = 7\n").unwrap();
    assert_eq!(Config::load(Some(&path)).unwrap().timeouts.udp, 7);
}

/// Every key stands in the sample with its default: uncommented, it changes nothing.
#[test]
fn the_sample_shows_the_defaults() {
    let sample = include_str!("../../../deploy/netctl.toml");
    let is_key = |line: &str| {
        line.strip_prefix('#')
            .and_then(|rest| rest.split_once(" = "))
            .is_some_and(|(key, _)| key.chars().all(|c| c.is_ascii_lowercase() || c == '_'))
    };
    let mut keys = 0;
    let mut text = String::new();
    for line in sample.lines() {
        let shown = if is_key(line) { &line[1..] } else { line };
        keys += usize::from(is_key(line));
        text.push_str(shown);
        text.push('\n');
    }
    assert_eq!(parse(&text), Ok(Config::default()));
    assert_eq!(keys, 28, "keys in the sample");
}
