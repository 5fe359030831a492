use std::{fs, os::unix::fs::PermissionsExt as _};

use super::{
    launch::{Flag, Launch},
    *,
};

/// A machine's files below a folder.
struct Machine {
    root: tempfile::TempDir,
    places: Places,
}

impl Machine {
    fn new(daemon_json: Option<&str>, netctl_toml: Option<&str>) -> Self {
        let root = tempfile::tempdir().unwrap();
        let places = Places::new(root.path(), None, None);
        for (path, text) in [
            (&places.daemon_json, daemon_json),
            (&places.netctl_toml, netctl_toml),
        ] {
            if let Some(text) = text {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
        }
        Self { root, places }
    }

    fn enable(&self) -> Vec<PathBuf> {
        let plan = enable(&self.places, &Launch::default()).unwrap();
        plan.apply().unwrap().into_values().collect()
    }

    fn disable(&self) {
        disable(&self.places).unwrap().unwrap().apply().unwrap();
    }

    /// Every file below the folder, with its text.
    fn files(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut folders = vec![self.root.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(self.root.path()).unwrap();
                    let text = fs::read_to_string(&path).unwrap();
                    found.push((name.display().to_string(), text));
                }
            }
        }
        found.sort();
        found
    }

    fn daemon_json(&self) -> String {
        fs::read_to_string(&self.places.daemon_json).unwrap()
    }
}

const STOCK: &str = "{\n    \"log-driver\": \"local\",\n    \"userland-proxy\": true,\n    \"dns\": [\"1.1.1.1\", \"8.8.8.8\"]\n}\n";
const SERVED: &str = "{\n    \"log-driver\": \"local\",\n    \"userland-proxy\": false,\n    \"dns\": [\"1.1.1.1\", \"8.8.8.8\"],\n    \"iptables\": false,\n    \"ip6tables\": false\n}\n";

#[test]
fn there_and_back_to_the_letter() {
    let machine = Machine::new(Some(STOCK), Some("# ours\n[nat]\n"));
    let before = machine.files();
    let copies = machine.enable();
    assert_eq!(machine.daemon_json(), SERVED);
    let toml = fs::read_to_string(&machine.places.netctl_toml).unwrap();
    assert_eq!(toml, "# ours\n[nat]\n\n[docker]\nadopt = true\n");
    assert_eq!(fs::read_to_string(&copies[0]).unwrap(), STOCK);
    assert!(copies[0].ends_with("daemon.json.before-netctl"));
    // Again: nothing to do.
    let enabled = machine.files();
    assert_eq!(machine.enable(), Vec::<PathBuf>::new());
    assert_eq!(machine.files(), enabled);
    machine.disable();
    for copy in copies {
        fs::remove_file(copy).unwrap();
    }
    assert_eq!(machine.files(), before);
    assert_eq!(disable(&machine.places).unwrap(), None);
}

#[test]
fn files_that_were_not_there_are_gone_again() {
    let machine = Machine::new(None, None);
    assert_eq!(machine.enable(), Vec::<PathBuf>::new());
    let read: serde_json::Value = serde_json::from_str(&machine.daemon_json()).unwrap();
    let sample = include_str!("../../../../deploy/daemon.json");
    assert_eq!(
        read,
        serde_json::from_str::<serde_json::Value>(sample).unwrap()
    );
    machine.disable();
    assert_eq!(machine.files(), []);
}

#[test]
fn what_its_owner_changes_meanwhile_stays() {
    let machine = Machine::new(Some(STOCK), None);
    machine.enable();
    let changed = SERVED
        .replace("\"local\"", "\"journald\"")
        .replace("\"iptables\": false", "\"iptables\": true");
    fs::write(&machine.places.daemon_json, &changed).unwrap();
    machine.disable();
    // The key that is not what `enable` made of it is its owner's now; the others go back.
    let expected = STOCK
        .replace("\"local\"", "\"journald\"")
        .replace("8.8\"]", "8.8\"],\n    \"iptables\": true");
    assert_eq!(machine.daemon_json(), expected);

    // Enabled again after such a change: the way back leads to the change.
    machine.enable();
    fs::write(
        &machine.places.daemon_json,
        machine.daemon_json().replace("journald", "none"),
    )
    .unwrap();
    machine.enable();
    machine.disable();
    assert_eq!(machine.daemon_json(), expected.replace("journald", "none"));
}

#[test]
fn enabled_again_after_an_edit_keeps_the_way_back() {
    let machine = Machine::new(Some(STOCK), None);
    machine.enable();
    // Somebody rolls a part back by hand, and enables again.
    let half = SERVED.replace(",\n    \"ip6tables\": false", "");
    fs::write(&machine.places.daemon_json, half).unwrap();
    machine.enable();
    assert_eq!(machine.daemon_json(), SERVED);
    machine.disable();
    assert_eq!(machine.daemon_json(), STOCK);
    assert!(!machine.places.netctl_toml.exists());
}

#[test]
fn copies_are_never_overwritten_and_modes_stay() {
    let machine = Machine::new(Some(STOCK), None);
    let file = &machine.places.daemon_json;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    let first = files::beside(file, ".before-netctl");
    fs::write(&first, "somebody's own").unwrap();
    let copies = machine.enable();
    assert_eq!(fs::read_to_string(&first).unwrap(), "somebody's own");
    assert!(copies[0].ends_with("daemon.json.before-netctl.1"));
    for path in [file, &copies[0], &files::beside(file, ".netctl")] {
        let mode = fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    machine.disable();
    assert_eq!(
        machine.enable(),
        copies,
        "the same text needs no other copy"
    );
}

#[test]
fn a_link_stays_one() {
    let machine = Machine::new(Some(STOCK), None);
    let (file, elsewhere) = (&machine.places.daemon_json, machine.root.path().join("own"));
    fs::rename(file, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, file).unwrap();
    machine.enable();
    assert!(fs::symlink_metadata(file).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), SERVED);
}

#[test]
fn settings_that_the_engine_would_not_start_with_become_netctls() {
    let stock = "{\"icc\": false, \"ip-masq\": false}\n";
    let machine = Machine::new(Some(stock), Some("[docker]\nicc = true # open\n"));
    let plan = enable(&machine.places, &Launch::default()).unwrap();
    assert_eq!(plan.told.len(), 2, "{:?}", plan.told);
    plan.apply().unwrap();
    assert!(!machine.daemon_json().contains("icc"));
    let toml = fs::read_to_string(&machine.places.netctl_toml).unwrap();
    assert_eq!(
        toml,
        "[docker]\nicc = false # open\nadopt = true\nip_masq = false\n"
    );
    machine.disable();
    assert_eq!(machine.daemon_json(), stock);
}

#[test]
fn what_cannot_be_read_is_refused_untouched() {
    let refused = |daemon_json: &str, toml: Option<&str>, parts: &[&str]| {
        let machine = Machine::new(Some(daemon_json), toml);
        let before = machine.files();
        let error = enable(&machine.places, &Launch::default()).unwrap_err();
        let told = format!("{:#}", anyhow::Error::from(error));
        for part in parts {
            assert!(told.contains(part), "{part}: {told}");
        }
        assert_eq!(machine.files(), before);
    };
    refused(
        "{\n  \"a\": 1,\n}",
        None,
        &["daemon.json, line 3, column 1"],
    );
    refused("[]", None, &["line 1", "an object"]);
    refused(
        STOCK,
        Some("[docker]\nadopt = maybe\n"),
        &["netctl.toml, line 2"],
    );
    refused(STOCK, Some("[doker]\n"), &["netctl.toml, line 1", "doker"]);

    let machine = Machine::new(Some(STOCK), None);
    fs::write(files::beside(&machine.places.daemon_json, ".netctl"), "{").unwrap();
    let before = machine.files();
    for error in [
        enable(&machine.places, &Launch::default()).unwrap_err(),
        disable(&machine.places).unwrap_err(),
    ] {
        assert!(error.to_string().contains("daemon.json.netctl"), "{error}");
    }
    assert_eq!(machine.files(), before);
}

#[test]
fn options_of_dockerds_command_line_are_in_the_way() {
    let machine = Machine::new(Some(STOCK), None);
    let launch = |name: &str, value: &str| Launch {
        pids: vec![7],
        flags: vec![Flag {
            name: name.into(),
            value: Some(value.into()),
            place: "process 7".into(),
        }],
    };
    let told = |launch: Launch| enable(&machine.places, &launch).unwrap_err().to_string();
    let flag = told(launch("iptables", "true"));
    assert!(
        flag.contains("--iptables=true") && flag.contains("process 7"),
        "{flag}"
    );
    let other = told(launch("config-file", "/srv/docker.json"));
    assert!(
        other.contains("/srv/docker.json") && other.contains("--daemon-json"),
        "{other}"
    );
    let icc = told(launch("icc", "false"));
    assert!(icc.contains("--icc=false"), "{icc}");
    // What says the default is in nobody's way.
    for (name, value) in [("log-level", "debug"), ("icc", "true"), ("icc", "1")] {
        let plan = enable(&machine.places, &launch(name, value));
        assert!(plan.is_ok(), "--{name}={value}: {plan:?}");
    }
    let plan = enable(&machine.places, &launch("ip-masq", "0")).unwrap();
    assert_eq!(plan.told.len(), 1, "{:?}", plan.told);
}

#[test]
fn a_change_is_shown_as_diff_does() {
    let machine = Machine::new(Some(STOCK), None);
    let plan = enable(&machine.places, &Launch::default()).unwrap();
    let diff = plan.files[0].diff();
    for line in [
        "\n-    \"userland-proxy\": true,",
        "\n+    \"iptables\": false,",
    ] {
        assert!(diff.contains(line), "{line}: {diff}");
    }
    assert!(plan.files[1].diff().starts_with("--- /dev/null\n+++ "));
}
