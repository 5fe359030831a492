//! Samples of dropped packets, from the ring buffer that the programs write.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::{Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use aya::maps::{MapData, RingBuf};
use netctl_common::{
    drop_reason::DropReason,
    event::DropEvent,
    packet::{ethertype, proto},
    stats::DropCount,
};
use tokio::io::unix::AsyncFd;

use super::{names::OurLink, object::Datapath, tables::kept};
use crate::{flows::show::proto_name, view};

/// Samples kept of one reason.
const SAMPLES: usize = 8;

/// The latest samples by reason.
#[derive(Clone, Default)]
pub struct DropLog(Arc<Mutex<HashMap<u32, VecDeque<view::DropSample>>>>);

impl DropLog {
    /// Reads the ring buffer for ever. Must run in the host's network namespace, where the
    /// interfaces have their names.
    pub async fn follow(self, events: RingBuf<MapData>) -> io::Result<()> {
        // SAFETY: the ring buffer owns its descriptor and keeps it open and the same for as long
        // as the AsyncFd owns the ring buffer.
        let mut events = unsafe { AsyncFd::register(events) }?;
        loop {
            let mut ready = events.readable_mut().await?;
            while let Some(item) = ready.get_inner_mut().next() {
                if let Ok(event) = bytemuck::try_pod_read_unaligned::<DropEvent>(&item) {
                    self.record(&event);
                }
            }
            ready.clear_ready();
        }
    }

    fn record(&self, event: &DropEvent) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let samples = log.entry(event.reason).or_default();
        samples.truncate(SAMPLES - 1);
        samples.push_front(sample(event));
    }

    /// Every reason that dropped something.
    pub fn drops(&self, datapath: &Datapath) -> io::Result<Vec<view::Drop>> {
        let log = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let map = datapath.map(kept::DROPS)?;
        let mut drops = Vec::new();
        for reason in DropReason::ALL {
            let number = *reason as u32;
            let Some(value) = map.lookup(&number.to_ne_bytes())? else {
                continue;
            };
            let packets = map
                .slots(&value)
                .filter_map(|slot| bytemuck::try_pod_read_unaligned::<DropCount>(slot).ok())
                .map(|count| count.packets)
                .sum();
            if packets > 0 {
                drops.push(view::Drop {
                    reason: reason.name().to_owned(),
                    description: reason.describe().to_owned(),
                    packets,
                    samples: log
                        .get(&number)
                        .map(|samples| samples.iter().cloned().collect())
                        .unwrap_or_default(),
                });
            }
        }
        Ok(drops)
    }
}

/// A sample as it is shown.
pub fn sample(event: &DropEvent) -> view::DropSample {
    let address = |address| Ipv6Addr::from(address).to_canonical();
    let (src, dst) = (address(event.src), address(event.dst));
    let packet = match (event.ethertype.get(), event.proto) {
        (ethertype::IPV4 | ethertype::IPV6, proto::TCP | proto::UDP | proto::SCTP) => format!(
            "{} {} -> {}",
            proto_name(event.proto),
            SocketAddr::from((src, event.sport.get())),
            SocketAddr::from((dst, event.dport.get())),
        ),
        (ethertype::IPV4 | ethertype::IPV6, number) => {
            format!("{} {src} -> {dst}", proto_name(number))
        }
        (ethertype::ARP, _) => format!("arp {src} -> {dst}"),
        (other, _) => format!("ethertype {other:#06x}"),
    };
    view::DropSample {
        time: unix_seconds(),
        interface: interface_name(event.ifindex),
        src_mac: event.smac.to_string(),
        dst_mac: event.dmac.to_string(),
        packet,
    }
}

fn interface_name(ifindex: u32) -> String {
    if let Some(ours) = OurLink::from_ifindex(ifindex) {
        return ours.name();
    }
    nix::net::if_::if_indextoname(ifindex)
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_else(|| format!("interface {ifindex}"))
}

/// Now, in seconds since 1970.
pub fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
