//! A daemon that cannot start says why, and has changed nothing.

use std::{fs, os::unix::process::CommandExt as _, process::Command};

use netctl_tests::{daemon, lab::Lab};

use crate::usual::CONFIG;

#[track_caller]
pub(crate) fn refused(lab: &Lab, mut command: Command, parts: &[&str]) {
    let before = lab.snapshot();
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    let changed = before.differences(&lab.snapshot());
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

pub(crate) fn lab_with(config: &str) -> Lab {
    let lab = Lab::bare();
    fs::write(lab.config_path(), config).unwrap();
    lab
}

#[test]
fn an_unknown_key_in_the_configuration() {
    let lab = lab_with("[daemon]\nresync_second = 3\n");
    let path = lab.config_path();
    refused(
        &lab,
        daemon::command(&lab, &[]),
        &["resync_second", path.to_str().unwrap()],
    );
}

#[test]
fn a_configuration_that_is_not_there() {
    let lab = Lab::bare();
    let path = lab.config_path();
    refused(&lab, daemon::command(&lab, &[]), &[path.to_str().unwrap()]);
}

#[test]
fn a_folder_that_is_no_bpffs() {
    let lab = lab_with(CONFIG);
    let folder = lab.scratch().join("plain");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "in the way").unwrap();
    let file = folder.join("file");
    let file = file.to_str().unwrap();
    refused(&lab, daemon::command(&lab, &["--bpffs", file]), &[file]);
}

#[test]
fn a_folder_that_is_no_cgroup() {
    let lab = lab_with(CONFIG);
    for folder in [lab.scratch().join("missing"), lab.scratch().to_owned()] {
        let folder = folder.to_str().unwrap();
        let command = daemon::command(&lab, &["--cgroup", folder]);
        refused(&lab, command, &[folder, "cgroup"]);
    }
}

#[test]
fn a_state_file_that_is_truncated_or_foreign() {
    let lab = lab_with(CONFIG);
    lab.start_daemon();
    lab.populate("net1", &[("web", "-p 8080:80")]);
    lab.kill_daemon();
    let file = fs::read_dir(lab.state())
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.is_file() && fs::metadata(path).is_ok_and(|data| data.len() > 0))
        .unwrap();
    let good = fs::read(&file).unwrap();
    for bad in [
        &good[..good.len() / 2],
        b"not a database at all",
        &[0; 4096][..],
    ] {
        fs::write(&file, bad).unwrap();
        refused(
            &lab,
            daemon::command(&lab, &[]),
            &[lab.state().to_str().unwrap()],
        );
        assert_eq!(
            fs::read(&file).unwrap(),
            bad,
            "the file is left for a person to look at"
        );
    }
    fs::write(&file, &good).unwrap();
    lab.start_daemon();
    assert!(
        lab.netctl("ns ls -o json")
            .json()
            .to_string()
            .contains("web")
    );
}

#[test]
fn a_kernel_below_the_floor() {
    for (release, shown) in [("5.9.16-amd64", "5.9.16"), ("4.19.0-27-amd64", "4.19.0")] {
        let lab = lab_with(CONFIG);
        let file = lab.scratch().join("osrelease");
        fs::write(&file, release).unwrap();
        let file = file.to_str().unwrap();
        lab.sh(&["mount", "--bind", file, "/proc/sys/kernel/osrelease"]);
        refused(&lab, daemon::command(&lab, &[]), &[shown, "5.10"]);
    }
}

#[test]
fn a_kernel_without_what_netctl_is_made_of() {
    for (call, parts) in [
        (libc::SYS_bpf, ["eBPF programs", "CONFIG_BPF_SYSCALL"]),
        (libc::SYS_unshare, ["network namespaces", "CONFIG_NET_NS"]),
    ] {
        let lab = lab_with(CONFIG);
        let mut command = daemon::command(&lab, &[]);
        refuse(&mut command, call, libc::ENOSYS);
        refused(&lab, command, &parts);
    }
}

/// As in a container whose seccomp profile knows bpf() and forbids it.
#[test]
fn bpf_is_forbidden() {
    let lab = lab_with(CONFIG);
    let mut command = daemon::command(&lab, &[]);
    refuse(&mut command, libc::SYS_bpf, libc::EPERM);
    refused(&lab, command, &["eBPF programs", "as root", "LimitMEMLOCK"]);
}

#[test]
fn a_root_without_the_capabilities() {
    /// linux/capability.h.
    const CAP_NET_ADMIN: libc::c_ulong = 12;
    const CAP_SYS_ADMIN: libc::c_ulong = 21;
    for capability in [CAP_NET_ADMIN, CAP_SYS_ADMIN] {
        let lab = lab_with(CONFIG);
        let mut command = daemon::command(&lab, &[]);
        let drop = move || {
            // SAFETY: plain integers. Root's programs get what is in this set.
            match unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: one system call between fork and exec, after those that move the process.
        unsafe { command.pre_exec(drop) };
        refused(&lab, command, &["CAP_NET_ADMIN", "CAP_SYS_ADMIN", "root"]);
    }
}

/// Has a system call of the command fail: ENOSYS on a kernel that was built without it.
fn refuse(command: &mut Command, call: libc::c_long, error: libc::c_int) {
    let instruction = |code: u32, jump: [u8; 2], k: u32| libc::sock_filter {
        code: code as u16,
        jt: jump[0],
        jf: jump[1],
        k,
    };
    // The number of a call is the first word of struct seccomp_data.
    let filter = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, [0, 0], 0),
        instruction(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            [0, 1],
            call as u32,
        ),
        instruction(
            libc::BPF_RET | libc::BPF_K,
            [0, 0],
            libc::SECCOMP_RET_ERRNO | error as u32,
        ),
        instruction(libc::BPF_RET | libc::BPF_K, [0, 0], libc::SECCOMP_RET_ALLOW),
    ];
    let install = move || {
        let program = libc::sock_fprog {
            len: filter.len() as u16,
            filter: filter.as_ptr().cast_mut(),
        };
        // SAFETY: the program and what it points at outlive the call, which copies them.
        let result = unsafe {
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            )
        };
        if result < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(())
    };
    // SAFETY: one system call between fork and exec, after those that move the process.
    unsafe { command.pre_exec(install) };
}

#[test]
fn bpffs_is_mounted_where_it_is_missing() {
    let lab = lab_with(CONFIG);
    let folder = lab.scratch().join("mounted");
    fs::create_dir(&folder).unwrap();
    let daemon = daemon::Daemon::start(&lab, &["--bpffs", folder.to_str().unwrap()]).unwrap();
    let mounts = lab.sh(&["cat", "/proc/self/mounts"]);
    let line = format!("{} bpf", folder.display());
    assert!(mounts.contains(&line), "{mounts}");
    drop(daemon);
}

#[test]
fn without_a_daemon_the_command_line_says_so() {
    let lab = Lab::bare();
    lab.netctl("network ls")
        .fails_with(1, &[lab.run().to_str().unwrap()]);
}
