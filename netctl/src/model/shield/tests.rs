use super::*;

fn sources(text: &str) -> String {
    let allow = parse_sources(text).unwrap();
    Shield {
        allow,
        ..Shield::default()
    }
    .sources()
}

#[test]
fn sources_are_read_and_written() {
    for (text, expected) in [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.1", "10.0.0.1/32"),
        ("2001:db8::/32,::1", "2001:db8::/32,::1/128"),
        ("0.0.0.0/0,::/0", "0.0.0.0/0,::/0"),
        ("tailscale0", "tailscale0"),
        (" 10.0.0.0/8 , wg-0.5 ", "10.0.0.0/8,wg-0.5"),
        ("eth0,eth0", "eth0"),
        ("any", "any"),
    ] {
        assert_eq!(sources(text), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_with_sources_is_said() {
    for (text, says) in [
        ("10.0.0.300", "\"10.0.0.300\" is neither"),
        ("10.0.0.0/33", "\"10.0.0.0/33\" is neither"),
        ("2001:db8::/129", "\"2001:db8::/129\" is neither"),
        ("a-name-that-is-too-long", "is neither"),
        ("eth0:1", "is neither"),
        ("two words", "is neither"),
        ("12345", "is neither"),
        ("10.0.0.1/8", "write 10.0.0.0/8"),
        ("2001:db8::1/64", "write 2001:db8::/64"),
        ("::ffff:10.0.0.0/104", "write it as IPv4's"),
        ("", "has an empty place"),
        ("10.0.0.0/8,", "has an empty place"),
        ("any,10.0.0.0/8", "stands alone"),
    ] {
        let error = parse_sources(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
    let many: Vec<String> = (0..1025)
        .map(|n| format!("10.{}.{}.0/24", n / 256, n % 256))
        .collect();
    let error = parse_sources(&many.join(",")).unwrap_err().to_string();
    assert!(error.contains("1025 sources"), "{error}");
}

#[test]
fn limits_are_read_and_written() {
    for (text, expected) in [
        ("20conn/s", "20conn/s"),
        ("1000pkt/s,20conn/min", "20conn/min,1000pkt/s"),
        (" 5conn/h ", "5conn/h"),
        ("none", "none"),
    ] {
        assert_eq!(parse_limit(text).unwrap().to_string(), expected, "{text}");
    }
}

#[test]
fn what_is_wrong_with_limits_is_said() {
    for (text, says) in [
        ("", "limit \"\" is not understood"),
        ("20", "limit \"20\" is not understood"),
        ("20conn", "is not understood"),
        ("conn/s", "is not understood"),
        ("20connections/s", "is not understood"),
        ("20conn/day", "is not understood"),
        ("-1conn/s", "is not understood"),
        ("1.5conn/s", "is not understood"),
        ("20conn/s,", "limit \"\" is not understood"),
        ("0conn/s", "the number is from 1 to 100000000"),
        ("99999999999pkt/s", "the number is from 1 to 100000000"),
        ("20conn/s,30conn/min", "names conn twice"),
    ] {
        let error = parse_limit(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

#[test]
fn an_operators_rules_take_the_place_of_labels() {
    let only = |text| Shield {
        allow: parse_sources(text).unwrap(),
        ..Shield::default()
    };
    let mut rules = Rules::default();
    assert_eq!(rules.in_force(), None);
    rules.labels = Some(only("10.0.0.0/8"));
    assert_eq!(rules.in_force(), Some(&only("10.0.0.0/8")));
    rules.operator = Some(only("eth0"));
    assert_eq!(rules.in_force(), Some(&only("eth0")));
    // Everybody, by the operator's own word.
    rules.operator = Some(only("any"));
    assert_eq!(rules.in_force(), None);
}

#[test]
fn rules_are_kept_as_they_are() {
    let rules = Rules {
        operator: Some(Shield {
            allow: parse_sources("10.0.0.0/8,wg0").unwrap(),
            limit: parse_limit("5conn/min,9pkt/h").unwrap(),
        }),
        labels: None,
    };
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<Rules>(&json).unwrap(), rules);
}
