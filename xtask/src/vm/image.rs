//! What a virtual machine boots from: the test executables, the programs that tests run, shared
//! libraries, and the kernel's modules.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    cpio::Files,
    machine::Machine,
    plan::{Job, Plan},
};
use crate::{
    cmd::Cmd,
    root,
    setup::{Emulator, Kernel, Unpacked, fresh},
    test::{Built, Tier},
    workspace::Workspace,
};

/// Where the executables under test are in the image.
pub(super) const TESTS: &str = "/tests";

/// Programs that tests run by name; a shell and a few small ones among them.
const PROGRAMS: [&str; 16] = [
    "cat",
    "find",
    "grep",
    "ip",
    "iptables",
    "iptables-save",
    "mount",
    "nft",
    "nstat",
    "rm",
    "sh",
    "sleep",
    "tar",
    "tc",
    "true",
    "wg",
];

/// Folders of modules. More than netctl asks for: what a link, a socket or a rule takes, the
/// kernel loads by itself, as on any machine.
const MODULES: [&str; 4] = ["kernel/net", "kernel/lib", "kernel/crypto", "kernel/arch"];
/// Drivers among thousands.
const DRIVERS: [&str; 8] = [
    "bonding",
    "dummy",
    "ifb",
    "macvlan",
    "tun",
    "veth",
    "vxlan",
    "wireguard",
];

/// All that machines boot from.
pub(super) struct Images {
    emulator: Emulator,
    /// Where images and consoles are kept.
    folder: PathBuf,
    /// What is there of each kernel, or why nothing is.
    kernels: BTreeMap<Kernel, Result<(Unpacked, Files)>>,
}

impl Images {
    pub(super) fn prepare(
        workspace: &Workspace,
        emulator: Emulator,
        built: &Built,
        tiers: &[Tier],
        kernels: Vec<(Kernel, Result<Unpacked>)>,
    ) -> Result<Self> {
        let folder = workspace.target().join("vm/machines");
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let common = programs(&folder, built, tiers)?;
        let with_modules = |unpacked: Unpacked| {
            let mut files = common.clone();
            modules(&mut files, &emulator, &unpacked)?;
            Ok((unpacked, files))
        };
        let kernels = kernels
            .into_iter()
            .map(|(kernel, unpacked)| (kernel, unpacked.and_then(with_modules)))
            .collect();
        Ok(Self {
            emulator,
            folder,
            kernels,
        })
    }

    /// Starts the machine of a job.
    pub(super) fn boot(&self, job: Job, plan: &Plan) -> Result<Machine> {
        let (kernel, files) = match self.kernels.get(&job.kernel) {
            Some(Ok(found)) => found,
            Some(Err(error)) => bail!("{error:#}"),
            None => bail!("nobody asked for this kernel"),
        };
        let mut files = files.clone();
        files.text("plan.json", job.as_json(plan));
        let path = |kind: &str| self.folder.join(format!("{}.{kind}", job.name()));
        let image = path("cpio");
        files.write(&image)?;
        let console = path("console");
        Machine::boot(&self.emulator, &kernel.image(), &image, console, plan.limit)
    }
}

/// Everything but kernel and plan.
fn programs(scratch: &Path, built: &Built, tiers: &[Tier]) -> Result<Files> {
    let mut files = Files::default();
    let mut programs = Vec::new();
    let bins = ["netctl", "agent", "guest"].map(|name| ("bin", name));
    let tests = tiers.iter().map(|tier| ("test", tier.name()));
    for (kind, name) in bins.into_iter().chain(tests) {
        let program = stripped(built.get(kind, name)?, &scratch.join(name))?;
        files.copy(&format!("{TESTS}/{name}"), &program);
        programs.push(program);
    }
    files.link("init", &format!("{TESTS}/guest"));
    for name in PROGRAMS {
        let program = root::find(name)
            .with_context(|| format!("{name} is missing, which tests of the namespaces run"))?;
        files.copy(&format!("usr/bin/{name}"), &program);
        programs.push(program);
    }
    // iptables' matches and targets are libraries that it opens by name.
    if let Some(folder) = xtables() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let inside = path.display().to_string().replace("/lib64/", "/lib/");
            files.copy(&inside, &path);
            programs.push(path);
        }
    }
    libraries(&mut files, &programs, None)?;
    for folder in ["dev", "etc", "proc", "root", "run", "sys", "tmp"] {
        files.folder(folder);
    }
    for folder in ["bin", "sbin", "usr/sbin"] {
        files.link(folder, "/usr/bin");
    }
    files.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n".to_owned());
    files.text("etc/group", "root:x:0:\n".to_owned());
    Ok(files)
}

/// Adds a kernel's modules, their index, and what loads them.
fn modules(files: &mut Files, emulator: &Emulator, kernel: &Unpacked) -> Result<()> {
    let from = kernel.modules()?;
    let release = &kernel.release;
    // depmod wants the layout of a root folder.
    let index = kernel.folder.join("index");
    let to = index.join("lib/modules").join(release);
    fresh(&index)?;
    pick(&from, &to)?;
    depmod(emulator, &index, release)?;
    add_tree(files, &to, &format!("usr/lib/modules/{release}"))?;
    // The kernel runs /sbin/modprobe.
    files.copy("usr/bin/modprobe", &emulator.kmod);
    libraries(
        files,
        std::slice::from_ref(&emulator.kmod),
        emulator.libraries(),
    )
}

fn pick(from: &Path, to: &Path) -> Result<()> {
    let mut picked = Vec::new();
    for folder in MODULES {
        visit(&from.join(folder), &mut |path| picked.push(path.to_owned()))?;
    }
    visit(&from.join("kernel/drivers/net"), &mut |path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if DRIVERS
            .iter()
            .any(|driver| name.split('.').next() == Some(driver))
        {
            picked.push(path.to_owned());
        }
    })?;
    for index in [
        "modules.builtin",
        "modules.builtin.modinfo",
        "modules.order",
    ] {
        picked.push(from.join(index));
    }
    for path in picked {
        let target = to.join(path.strip_prefix(from)?);
        let folder = target.parent().unwrap_or(to);
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        fs::copy(&path, &target).with_context(|| format!("copy {}", path.display()))?;
    }
    Ok(())
}

fn depmod(emulator: &Emulator, index: &Path, release: &str) -> Result<()> {
    // kmod is depmod when it is called so.
    let depmod = index.join("depmod");
    std::os::unix::fs::symlink(&emulator.kmod, &depmod)?;
    let mut command = Cmd::new(&depmod).arg("-b").arg(index).arg(release);
    if let Some(libraries) = emulator.libraries() {
        command = command.env("LD_LIBRARY_PATH", libraries);
    }
    command.run().context("index the kernel's modules")
}

fn add_tree(files: &mut Files, folder: &Path, at: &str) -> Result<()> {
    let mut all = Vec::new();
    visit(folder, &mut |path| all.push(path.to_owned()))?;
    for path in all {
        let inside = path.strip_prefix(folder)?;
        files.copy(&format!("{at}/{}", inside.display()), &path);
    }
    Ok(())
}

/// Every file below a folder that may be missing.
fn visit(folder: &Path, each: &mut impl FnMut(&Path)) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            visit(&path, each)?;
        } else {
            each(&path);
        }
    }
    Ok(())
}

/// A copy without debug information, a tenth of the size: the image lies in memory, twice for a
/// moment.
fn stripped(program: &Path, to: &Path) -> Result<PathBuf> {
    Cmd::new("strip")
        .args(["--strip-debug", "-o"])
        .args([to, program])
        .run()?;
    Ok(to.to_owned())
}

/// Adds the shared libraries of these programs, where the loader looks for them.
fn libraries(files: &mut Files, programs: &[PathBuf], path: Option<String>) -> Result<()> {
    let mut ldd = Cmd::new("ldd").args(programs);
    if let Some(path) = path {
        ldd = ldd.env("LD_LIBRARY_PATH", path);
    }
    let mut text = Vec::new();
    // Its status is a failure when one of the files is linked statically.
    ldd.lines(|line| text.push(line.to_owned()))?;
    let mut found = BTreeSet::new();
    for line in &text {
        ensure!(!line.contains("not found"), "a library is missing: {line}");
        found.extend(library(line));
    }
    ensure!(!found.is_empty(), "ldd names no library");
    for path in found {
        let name = Path::new(path).file_name().unwrap_or_default();
        let name = name.to_string_lossy();
        files.copy(&format!("usr/lib/{name}"), Path::new(path));
    }
    // Wherever a distribution's loader looks, and where it is looked for itself.
    for folder in ["lib", "lib64", "usr/lib64"] {
        files.link(folder, "/usr/lib");
    }
    Ok(())
}

/// The path in `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, or the loader's alone.
fn library(line: &str) -> Option<&str> {
    let line = line.trim();
    let path = line.split_once(" => ").map_or(line, |(_, path)| path);
    let path = path.split(' ').next()?;
    // With several files, each is named first, with a colon.
    (path.starts_with('/') && !path.ends_with(':')).then_some(path)
}

fn xtables() -> Option<PathBuf> {
    [
        "/usr/lib/x86_64-linux-gnu/xtables",
        "/usr/lib64/xtables",
        "/usr/lib/xtables",
    ]
    .map(PathBuf::from)
    .into_iter()
    .find(|folder| folder.is_dir())
}

#[cfg(test)]
mod tests {
    use super::library;

    #[test]
    fn libraries_are_read_from_ldd() {
        let line = "\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)";
        assert_eq!(library(line), Some("/lib/x86_64-linux-gnu/libm.so.6"));
        let line = "\t/lib64/ld-linux-x86-64.so.2 (0x00007f)";
        assert_eq!(library(line), Some("/lib64/ld-linux-x86-64.so.2"));
        assert_eq!(library("\tlinux-vdso.so.1 (0x00007ffd)"), None);
        assert_eq!(library("\tstatically linked"), None);
        assert_eq!(library("/usr/bin/cat:"), None);
    }
}
