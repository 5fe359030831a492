//! What must not be reached is not reached, by crafted packets neither: the same for namespaces of
//! netctl's own and for containers of an engine.

use std::net::IpAddr;

use crate::{
    agent::{Agent, Connect, Proto},
    lab::Lab,
    packet::{
        Names, build,
        frame::{Ip, proto},
    },
};

/// `web` has TCP and UDP port 9090 of the loopback address published, to its 80; its interface and
/// that of `client`, on the same network, is `eth0`.
pub struct OnLoopback<'a> {
    pub lab: &'a Lab,
    pub web: &'a Agent,
    pub client: &'a Agent,
    /// With addresses of `host`, `lan`, `gw`, `web` and `client`, of the family that is meant.
    pub names: Names,
}

impl OnLoopback<'_> {
    /// Processes of the host are answered, and nobody else: by no address of the host's, and by no
    /// crafted packet.
    #[track_caller]
    pub fn answers_the_host_alone(&self) {
        let Self { lab, client, .. } = self;
        let addr = |name| self.names.addr(name);
        let asking = |agent: &Agent, proto, target: IpAddr| {
            agent.connect(Connect::to(proto, (target, 9090)).within_ms(300))
        };
        for proto in [Proto::Tcp, Proto::Udp] {
            lab.host()
                .connect(Connect::to(proto, (addr("lo"), 9090)))
                .unwrap();
            for (agent, target) in [
                (lab.lan(), addr("host")),
                (client, addr("host")),
                (client, addr("gw")),
                (lab.host(), addr("host")),
            ] {
                let asked = asking(agent, proto, target);
                assert!(asked.is_err(), "{proto:?} {target}: {asked:?}");
            }
        }
        let refused = asking(lab.lan(), Proto::Tcp, addr("host"));
        assert_eq!(refused, Err("ECONNREFUSED".to_owned()));
        let seen = self.nothing_arrives();
        // The sender sees its own frames, and at most refusals of the host's stack.
        assert_eq!(accepted(&seen), 0);
    }

    /// No frame of the LAN's to a loopback address or by one gets into the container. What the
    /// LAN saw besides.
    #[track_caller]
    pub fn nothing_arrives(&self) -> Vec<Vec<u8>> {
        self.web.sniff("eth0");
        let lines = ["{lo}", "{host}", "{gw}", "{web}"].iter().flat_map(|to| {
            [
                format!("lan>up tcp {{lan}}:5555>{to}:9090 flags=S"),
                format!("lan>up udp {{lan}}:5555>{to}:9090 len=3"),
                format!("lan>up tcp {{lo}}:5555>{to}:9090 flags=S"),
                format!("lan>up udp {{lo}}:5555>{to}:80 len=3"),
            ]
        });
        let seen = self.send(self.lab.lan(), "lan0", lines);
        let arrived = self.web.sniffed("eth0", &PORT, 1, 300);
        assert!(arrived.is_empty(), "in the container: {arrived:x?}");
        seen
    }

    /// No service of the host's own loopback accepts a connection of `client`'s.
    #[track_caller]
    pub fn loopback_is_closed(&self, port: u16) {
        let line = format!("client>gw tcp {{client}}:5555>{{lo}}:{port} flags=S");
        let seen = self.send(self.client, "eth0", [line]);
        assert_eq!(accepted(&seen), 0, "port {port}");
    }

    /// Sends frames from [`PORT`]; what is seen of it on the interface, them included.
    fn send(
        &self,
        agent: &Agent,
        interface: &str,
        lines: impl IntoIterator<Item = String>,
    ) -> Vec<Vec<u8>> {
        agent.sniff(interface);
        let lines = lines.into_iter();
        let frames: Vec<Vec<u8>> = lines.map(|line| build(&self.names, &line)).collect();
        agent.send_frames(interface, &frames);
        let mut seen = agent.sniffed(interface, &PORT, frames.len() + 1, 300);
        assert!(seen.len() >= frames.len(), "{}", seen.len());
        seen.retain(|frame| !frames.contains(frame));
        seen
    }
}

/// Where crafted frames come from, so that they are found again.
const PORT: [u8; 2] = 5555_u16.to_be_bytes();

/// How many of these frames are SYN-ACKs.
fn accepted(frames: &[Vec<u8>]) -> usize {
    let accepts = |frame: &&Vec<u8>| {
        let ip = Ip::of_frame(frame).ok().filter(|ip| ip.proto == proto::TCP);
        ip.is_some_and(|ip| frame[ip.l4 + 13] & 0x12 == 0x12)
    };
    frames.iter().filter(accepts).count()
}
