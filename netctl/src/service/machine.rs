//! The real [`Engine`]: the controller and the kernel.

use std::{
    fs::{self, File},
    io,
    os::{fd::AsRawFd, unix::fs::MetadataExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use super::engine::{Engine, EngineError, Pass};
use crate::{
    kernel::{
        netns::{self, Named},
        owner::{self, Holder, Owner},
    },
    model::{Model, Proto},
    reconcile::controller::{Controller, Scope},
    view,
};

nix::ioctl_none_bad!(ns_type, libc::NS_GET_NSTYPE);

/// This machine.
pub struct Machine {
    controller: Controller,
    named: Named,
}

impl Machine {
    pub fn new(controller: Controller, run: &Path) -> Self {
        Self {
            controller,
            named: Named::new(run),
        }
    }
}

impl Engine for Machine {
    fn settle(&self) -> Pass<'_, ()> {
        Box::pin(async move { Ok(self.controller.settle().await?) })
    }

    fn host(&self) -> view::Host {
        self.controller.host()
    }

    fn set_model(&self, model: Arc<Model>) {
        self.controller.set_model(model);
    }

    fn converge(&self, scopes: Vec<Scope>) -> Pass<'_, ()> {
        Box::pin(async move { Ok(self.controller.converge(scopes).await?) })
    }

    fn plan(&self) -> Pass<'_, Vec<String>> {
        Box::pin(async move { Ok(self.controller.plan().await?) })
    }

    fn purge(&self) -> Pass<'_, ()> {
        Box::pin(async move { Ok(self.controller.purge().await?) })
    }

    fn status(&self) -> view::Status {
        self.controller.status()
    }

    fn totals(&self) -> view::Totals {
        self.controller.totals()
    }

    fn flows(&self) -> Result<Vec<view::Flow>, EngineError> {
        Ok(self.controller.flows()?)
    }

    fn drops(&self) -> Result<Vec<view::Drop>, EngineError> {
        Ok(self.controller.drops()?)
    }

    fn port_counters(&self) -> Result<Vec<view::PortCounters>, EngineError> {
        Ok(self.controller.port_counters()?)
    }

    fn holders(&self, proto: Proto) -> io::Result<Vec<Holder>> {
        owner::holders(proto)
    }

    fn owner(&self, holder: &Holder) -> io::Result<Owner> {
        holder.owner()
    }

    fn free_ports(&self) -> io::Result<(u16, u16)> {
        let path = "/proc/sys/net/ipv4/ip_local_port_range";
        let text = fs::read_to_string(path)?;
        let mut ports = text.split_whitespace().map(str::parse);
        match (ports.next(), ports.next()) {
            (Some(Ok(first)), Some(Ok(last))) => Ok(beside((first, last))),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{path} holds {text:?}"),
            )),
        }
    }

    fn netns(&self, path: &Path) -> io::Result<u64> {
        let file = netns::open(path)?;
        check_kind(&file)?;
        Ok(file.metadata()?.ino())
    }

    fn host_netns(&self) -> io::Result<u64> {
        netns::inode(Path::new("/proc/self/ns/net"))
    }

    fn foreign_netns(&self, name: &str) -> bool {
        let path: PathBuf = netns::named_path(name);
        netns::inode(&path).is_ok() && !self.named.is_ours(name)
    }
}

/// All kinds of namespaces are files of one file system: mount, pid, … are refused here.
fn check_kind(file: &File) -> io::Result<()> {
    // SAFETY: NS_GET_NSTYPE takes no argument and works on any namespace's descriptor, which
    // stays open during the call.
    let kind = unsafe { ns_type(file.as_raw_fd()) }?;
    if kind != libc::CLONE_NEWNET {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a namespace, but not a network namespace",
        ));
    }
    Ok(())
}

/// Where free host ports are chosen from: above the range that the kernel draws from by itself,
/// so that no process gets a published port by chance. Docker takes them from that very range;
/// so do we where it leaves too little above.
fn beside((first, last): (u16, u16)) -> (u16, u16) {
    const ENOUGH: u16 = 1_000;
    if u16::MAX - last >= ENOUGH {
        (last + 1, u16::MAX)
    } else {
        (first, last)
    }
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn free_ports_lie_beside_those_that_processes_draw() {
        assert_eq!(beside((32_768, 60_999)), (61_000, 65_535));
        assert_eq!(beside((1_024, 65_535)), (1_024, 65_535));
    }
}
