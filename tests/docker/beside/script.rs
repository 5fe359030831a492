//! The script: questions, and what became of each in words that are the same on both sides.

use std::net::{IpAddr, Ipv4Addr};

use netctl_tests::{
    agent::{Connect, Exchange, Proto},
    eventually::eventually,
    lab::{HOST, LAN, OUTSIDE, docker::IMAGE},
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::scene::Scene;
use crate::{
    adopted::{ANSWERS, SOON},
    mode::Mode,
    published::carried,
};

/// Question and outcome, in order.
pub(super) type Said = Vec<(String, String)>;

/// Who calls what address and port: asked by TCP and by UDP.
const CALLS: [(&str, &str, u16); 37] = [
    // The published port.
    ("LAN", "198.51.100.1", 8080),
    ("LAN", "2001:db8:64::1", 8080),
    ("host", "127.0.0.1", 8080),
    ("host", "::1", 8080),
    ("host", "198.51.100.1", 8080),
    ("host", "2001:db8:64::1", 8080),
    ("host", "172.28.0.1", 8080),
    ("client", "198.51.100.1", 8080),
    ("client", "172.28.0.1", 8080),
    ("other", "198.51.100.1", 8080),
    ("other", "172.28.0.1", 8080),
    ("web", "198.51.100.1", 8080),
    ("inside", "198.51.100.1", 8080),
    // Of a container on two networks.
    ("LAN", "198.51.100.1", 8083),
    ("host", "127.0.0.1", 8083),
    ("client", "198.51.100.1", 8083),
    ("other", "198.51.100.1", 8083),
    ("both", "198.51.100.1", 8083),
    // One on loopback.
    ("host", "127.0.0.1", 8082),
    ("host", "198.51.100.1", 8082),
    ("LAN", "198.51.100.1", 8082),
    ("client", "198.51.100.1", 8082),
    // The containers themselves.
    ("client", "172.28.0.2", 80),
    ("host", "172.28.0.2", 80),
    ("LAN", "172.28.0.2", 80),
    ("LAN", "172.28.0.2", 90),
    ("LAN", "172.28.0.4", 80),
    ("LAN", "172.29.0.2", 80),
    ("other", "172.28.0.2", 80),
    ("inside", "172.30.0.3", 80),
    ("two", "172.31.0.2", 80),
    // The outside and the host.
    ("client", "198.51.100.2", 7000),
    ("client", "2001:db8:64::2", 7000),
    ("bare", "198.51.100.2", 7000),
    ("inside", "198.51.100.2", 7000),
    ("client", "172.28.0.1", 7100),
    ("other", "198.51.100.1", 7100),
];

/// Plays the whole script.
#[track_caller]
pub(super) fn play<M: Mode>(mode: M) -> Said {
    let mut play = Play {
        scene: Scene::set(mode),
        said: Vec::new(),
    };
    play.calls("");
    play.pings();
    play.forms();
    play.texts();
    play.names();
    play.networks_while_running();
    play.in_the_way();
    play.restarts();
    play.without_the_engine();
    play.without_rules();
    play.said
}

struct Play<M> {
    scene: Scene<M>,
    said: Said,
}

impl<M: Mode> Play<M> {
    fn say(&mut self, what: impl Into<String>, outcome: impl Into<String>) {
        self.said.push((what.into(), outcome.into()));
    }

    fn call(&mut self, when: &str, who: &str, proto: Proto, target: (IpAddr, u16)) {
        let outcome = self.scene.ask(who, Connect::to(proto, target));
        let proto = format!("{proto:?}").to_lowercase();
        let (ip, port) = target;
        self.say(format!("{when}{who} -> {ip} {port}/{proto}"), outcome);
    }

    fn calls(&mut self, when: &str) {
        for (who, ip, port) in CALLS {
            for proto in [Proto::Tcp, Proto::Udp] {
                self.call(when, who, proto, (ip.parse().unwrap(), port));
            }
        }
    }

    fn pings(&mut self) {
        for (who, ip) in [
            ("client", LAN),
            ("client", OUTSIDE),
            ("client", Ipv4Addr::new(172, 28, 0, 1)),
            ("client", Ipv4Addr::new(172, 28, 0, 2)),
            ("client", Ipv4Addr::new(172, 29, 0, 2)),
            ("two", Ipv4Addr::new(172, 31, 0, 2)),
            ("inside", LAN),
            ("host", Ipv4Addr::new(172, 28, 0, 2)),
            ("LAN", Ipv4Addr::new(172, 28, 0, 2)),
        ] {
            let answered = self.scene.agent(who).ping(ip, 1, 1000) == 1;
            let outcome = if answered { "answered" } else { "silence" };
            self.say(format!("{who} pings {ip}"), outcome);
        }
    }

    /// Every form of `-p`, on the default network, which has IPv4 only.
    fn forms(&mut self) {
        let options = "-p 8100-8101:80-81 -p 198.51.100.1:8110:80 -p 127.0.0.1:8111:80/udp -p [::1]:8112:80 \
            -p 0.0.0.0:8113:80 -p [::]:8114:80 -p 8120-8129:80 -p 90/udp -P --expose 90";
        let options = format!("{} {options}", self.scene.first);
        let agent = self.scene.mode.run("forms", &options);
        self.scene.serve("forms", agent);
        for (who, ip, port, proto) in [
            ("LAN", "198.51.100.1", 8100, Proto::Tcp),
            ("LAN", "2001:db8:64::1", 8100, Proto::Tcp),
            ("host", "::1", 8100, Proto::Tcp),
            ("LAN", "198.51.100.1", 8101, Proto::Http),
            ("LAN", "198.51.100.1", 8102, Proto::Tcp),
            ("LAN", "198.51.100.1", 8110, Proto::Tcp),
            ("host", "198.51.100.1", 8110, Proto::Tcp),
            ("host", "127.0.0.1", 8110, Proto::Tcp),
            ("host", "127.0.0.1", 8111, Proto::Udp),
            ("LAN", "198.51.100.1", 8111, Proto::Udp),
            ("host", "::1", 8112, Proto::Tcp),
            ("LAN", "2001:db8:64::1", 8112, Proto::Tcp),
            ("LAN", "198.51.100.1", 8113, Proto::Tcp),
            ("LAN", "2001:db8:64::1", 8113, Proto::Tcp),
            ("LAN", "198.51.100.1", 8114, Proto::Tcp),
            ("LAN", "2001:db8:64::1", 8114, Proto::Tcp),
            ("host", "::1", 8114, Proto::Tcp),
            ("LAN", "198.51.100.1", 8120, Proto::Tcp),
        ] {
            self.call("", who, proto, (ip.parse().unwrap(), port));
        }
        for (inner, proto) in [("90/udp", Proto::Udp), ("90/tcp", Proto::Tcp)] {
            let port = self.scene.mode.chosen_port("forms", inner);
            let outcome = self.scene.ask("LAN", Connect::to(proto, (HOST, port)));
            self.say(
                format!("LAN -> a port that the Engine chose for {inner}"),
                outcome,
            );
        }
    }

    /// What a command of Docker's prints, whose order is that of a hash table.
    fn show(&mut self, what: &str, words: &[&str]) {
        let shown = self.scene.mode.engine().docker(words);
        let shown = shown.unwrap_or_else(|error| panic!("{error}"));
        let mut lines: Vec<&str> = shown.split(['\n', ',']).map(str::trim).collect();
        lines.sort_unstable();
        self.say(what, lines.join("; "));
    }

    /// What Docker shows.
    fn texts(&mut self) {
        const NETWORK: &str = "{{json .IPAM.Config}}{{println}}{{range .Containers}}{{println .Name .IPv4Address}}{{end}}";
        for words in [
            &["port", "web"][..],
            &["port", "local"],
            &["ps", "--format", "{{.Ports}}", "--filter", "name=web"],
            &["ps", "--format", "{{.Ports}}", "--filter", "name=local"],
            &["inspect", "-f", "{{json .NetworkSettings.Ports}}", "web"],
            &["inspect", "-f", "{{json .NetworkSettings.Ports}}", "client"],
            &["inspect", "-f", "{{json .HostConfig.PortBindings}}", "web"],
            &["network", "inspect", "-f", NETWORK, "net1"],
        ] {
            self.show(&format!("docker {}", words.join(" ")), words);
        }
        let web = (Ipv4Addr::new(172, 28, 0, 2), 80);
        let exchange = Exchange::of(Proto::Tcp, web, 3, 1_000_000);
        self.scene
            .agent("client")
            .exchange_all(exchange, "neighbour");
        let counted = carried(self.scene.mode.engine(), "web");
        let outcome = if counted.iter().all(|megabytes| *megabytes >= 3.0) {
            "every byte counted both ways".to_owned()
        } else {
            format!("{counted:?}")
        };
        self.say("docker stats web, of 3 MB each way", outcome);
    }

    /// Docker's name server, and one on the LAN.
    fn names(&mut self) {
        let _resolver = self.scene.mode.lab().resolver("outside.example", OUTSIDE);
        let direct = format!("{} --dns 198.51.100.2", self.scene.first);
        drop(self.scene.mode.run("direct", &direct));
        for (who, name) in [
            ("client", "web"),
            ("web", "caller"),
            ("client", "outside.example"),
            ("client", "nobody.example"),
            ("other", "web"),
            ("inside", "beside"),
            ("direct", "outside.example"),
        ] {
            let words = ["exec", who, "/bin/busybox", "nslookup", "-type=a", name];
            let outcome = match self.scene.mode.engine().docker(&words) {
                Ok(text) => found(&text),
                Err(_) => "no such name".to_owned(),
            };
            self.say(format!("{who} looks up {name}"), outcome);
        }
    }

    fn networks_while_running(&mut self) {
        let target = (Ipv4Addr::new(172, 29, 0, 2).into(), 80);
        let engine = self.scene.mode.engine();
        engine.ok("network connect --ip 172.29.0.3 net2 client");
        self.scene.mode.wait_served("client");
        self.call("connected: ", "client", Proto::Tcp, target);
        self.scene
            .mode
            .engine()
            .ok("network disconnect net2 client");
        self.scene.mode.wait_served("client");
        self.call("disconnected: ", "client", Proto::Tcp, target);
        self.scene.mode.network(
            "routed",
            "-o com.docker.network.bridge.gateway_mode_ipv4=routed",
        );
        let agent = self.scene.mode.run("routed", "--network routed -p 8130:80");
        self.scene.serve("routed", agent);
        self.call(
            "gateway_mode_ipv4=routed: ",
            "LAN",
            Proto::Tcp,
            (HOST.into(), 8130),
        );
    }

    /// Ports that somebody else has.
    fn in_the_way(&mut self) {
        for port in [8080, 7100] {
            let published = format!("{port}:80");
            let options = format!("{} -p {published}", self.scene.first);
            let options: Vec<&str> = options.split(' ').collect();
            let run = self.scene.mode.engine().run("late", &options);
            let outcome = run.map_or_else(|error| reason(&error), |()| "runs".to_owned());
            self.scene.mode.engine().ok("rm -f late");
            self.say(
                format!("docker run -p {published}, which is taken"),
                outcome,
            );
        }
        for (proto, ip) in [
            (Proto::Tcp, Ipv4Addr::UNSPECIFIED),
            (Proto::Udp, Ipv4Addr::UNSPECIFIED),
            (Proto::Tcp, Ipv4Addr::LOCALHOST),
            (Proto::Tcp, HOST),
        ] {
            let bound = self.scene.agent("host").bind(proto, (ip, 8080), None);
            let outcome = bound.map_or_else(|error| error, |()| "bound".to_owned());
            self.say(
                format!("a process of the host binds {ip}:8080 {proto:?}"),
                outcome,
            );
        }
    }

    /// Containers that end and come back.
    fn restarts(&mut self) {
        let kept = || Connect::to(Proto::Udp, (HOST, 8080)).hold("kept");
        let outcome = self.scene.ask("LAN", kept());
        self.say("LAN -> the UDP service, by a socket that it keeps", outcome);
        self.scene.mode.engine().ok("restart -t 0 web");
        self.scene.mode.wait_served("web");
        let agent = self.scene.mode.agent("web");
        self.scene.serve("web", agent);
        let outcome = self.scene.ask("LAN", kept());
        self.say(
            "the same after the service's restart, first datagram",
            outcome,
        );
        let host = (HOST.into(), 8080);
        self.call("restarted: ", "LAN", Proto::Tcp, host);
        let engine = self.scene.mode.engine();
        engine.ok(&format!(
            "run -d {} --restart always --name phoenix -p 8140:80 {IMAGE} {ANSWERS}",
            self.scene.first
        ));
        let pid = || {
            let shown = engine.ok("inspect -f {{.State.Pid}} phoenix");
            shown.parse::<i32>().ok().filter(|pid| *pid > 0)
        };
        let before = pid().unwrap();
        kill(Pid::from_raw(before), Signal::SIGKILL).unwrap();
        let again = eventually(SOON, || {
            let is_another = pid().is_some_and(|now| now != before);
            let ask = Connect::to(Proto::Tcp, (HOST, 8140)).within_ms(500);
            (is_another && self.scene.agent("LAN").connect(ask).is_ok()).then_some(())
        });
        let outcome = if again.is_some() {
            "answers again"
        } else {
            "is lost"
        };
        self.say(
            "a container with --restart always whose process is killed",
            outcome,
        );
    }

    /// The Engine is killed, and comes back; its containers go on (live-restore).
    fn without_the_engine(&mut self) {
        self.scene.mode.engine_mut().stop(Signal::SIGKILL).unwrap();
        self.some_calls("without dockerd: ");
        self.scene.mode.engine_mut().start_again().unwrap();
        self.scene.mode.wait_connected();
        self.some_calls("dockerd again: ");
        self.show("dockerd again: docker port web", &["port", "web"]);
    }

    /// Somebody else empties the tables of netfilter.
    fn without_rules(&mut self) {
        self.scene.mode.lab().sh(&["nft", "flush", "ruleset"]);
        self.some_calls("rules flushed: ");
    }

    fn some_calls(&mut self, when: &str) {
        for (who, ip, port) in [
            ("LAN", HOST, 8080),
            ("host", Ipv4Addr::LOCALHOST, 8080),
            ("host", HOST, 8080),
            ("client", HOST, 8080),
            ("client", LAN, 7000),
            ("other", Ipv4Addr::new(172, 28, 0, 2), 80),
        ] {
            for proto in [Proto::Tcp, Proto::Udp] {
                self.call(when, who, proto, (ip.into(), port));
            }
        }
    }
}

/// Addresses that nslookup tells, without the server's.
fn found(text: &str) -> String {
    let answers = text
        .split_once("\n\n")
        .map_or(text, |(_server, answers)| answers);
    let addresses = answers
        .lines()
        .filter_map(|line| line.strip_prefix("Address"));
    let addresses = addresses.filter_map(|line| line.split_whitespace().next_back());
    addresses.collect::<Vec<_>>().join(" ")
}

/// What the Engine says, without its numbers, and without that of a process.
fn reason(error: &str) -> String {
    let reason = error.rsplit_once("): ").map_or(error, |(_, reason)| reason);
    let Some((before, after)) = reason.split_once("process ") else {
        return reason.to_owned();
    };
    format!(
        "{before}process{}",
        after.trim_start_matches(char::is_numeric)
    )
}
