//! The one list of what containers and their users see otherwise than with stock Docker (20.10,
//! iptables and docker-proxy), and why. README.md tells of each by its name.

/// A difference that is intended.
pub(super) struct Intended {
    /// Whom or what it is about; several entries may say different things of one.
    pub(super) name: &'static str,
    /// The questions that it shows in.
    pub(super) asked: &'static [&'static str],
    /// The outcome of each on either side.
    pub(super) stock: &'static str,
    pub(super) netctl: &'static str,
}

pub(super) const INTENDED: &[Intended] = &[
    Intended {
        // The socket is led to the container at connect(): its packets have the source that the routes
        // give them there.
        name: "a process of the host that asks an address of the host",
        asked: &[
            "host -> 198.51.100.1 8080/tcp",
            "host -> 198.51.100.1 8080/udp",
            "host -> 198.51.100.1 8110/tcp",
            "without dockerd: host -> 198.51.100.1 8080/tcp",
            "without dockerd: host -> 198.51.100.1 8080/udp",
            "dockerd again: host -> 198.51.100.1 8080/tcp",
            "dockerd again: host -> 198.51.100.1 8080/udp",
        ],
        stock: "answered, seen as the host",
        netctl: "answered, seen as the gateway",
    },
    Intended {
        // docker-proxy is in between, which has the gateway's address: the service cannot tell its
        // clients apart.
        name: "a container that asks another one's published port",
        asked: &[
            "client -> 198.51.100.1 8080/tcp",
            "client -> 172.28.0.1 8080/tcp",
            "client -> 172.28.0.1 8080/udp",
            "client -> 198.51.100.1 8083/tcp",
            "dockerd again: client -> 198.51.100.1 8080/tcp",
            "rules flushed: client -> 198.51.100.1 8080/tcp",
        ],
        stock: "answered, seen as the gateway",
        netctl: "answered, seen as client",
    },
    Intended {
        // The same across networks.
        name: "a container that asks another one's published port",
        asked: &[
            "other -> 198.51.100.1 8080/tcp",
            "other -> 172.28.0.1 8080/tcp",
            "other -> 198.51.100.1 8083/tcp",
        ],
        stock: "answered, seen as the gateway",
        netctl: "answered, seen as other",
    },
    Intended {
        // docker-proxy answers from another address than the one that was asked, and the client's socket
        // takes no such datagram.
        name: "UDP of a container to a published port",
        asked: &[
            "client -> 198.51.100.1 8080/udp",
            "client -> 198.51.100.1 8083/udp",
            "dockerd again: client -> 198.51.100.1 8080/udp",
            "rules flushed: client -> 198.51.100.1 8080/udp",
        ],
        stock: "silence",
        netctl: "answered, seen as client",
    },
    Intended {
        // The same across networks.
        name: "UDP of a container to a published port",
        asked: &[
            "other -> 198.51.100.1 8080/udp",
            "other -> 172.28.0.1 8080/udp",
            "other -> 198.51.100.1 8083/udp",
        ],
        stock: "silence",
        netctl: "answered, seen as other",
    },
    Intended {
        // And for its own one: there the two are one address, so that a translation is due (hairpin).
        name: "UDP of a container to a published port",
        asked: &[
            "web -> 198.51.100.1 8080/udp",
            "both -> 198.51.100.1 8083/udp",
        ],
        stock: "silence",
        netctl: "answered, seen as the gateway",
    },
    Intended {
        // Without ip6tables, which this Engine has as an experiment only, it comes by docker-proxy.
        name: "an IPv6 client of the LAN",
        asked: &[
            "LAN -> 2001:db8:64::1 8080/tcp",
            "LAN -> 2001:db8:64::1 8080/udp",
        ],
        stock: "answered, seen as the gateway",
        netctl: "answered, seen as LAN",
    },
    Intended {
        // docker-proxy takes any client's stream and makes one of its own; a packet stays of its family.
        name: "an IPv6 client of the LAN, for a container without IPv6",
        asked: &["LAN -> 2001:db8:64::1 8100/tcp"],
        stock: "answered, seen as the gateway",
        netctl: "refused",
    },
    Intended {
        // Likewise: it leaves with an address that nobody outside has a route to.
        name: "IPv6 of a container to the outside",
        asked: &[
            "client -> 2001:db8:64::2 7000/tcp",
            "client -> 2001:db8:64::2 7000/udp",
        ],
        stock: "silence",
        netctl: "answered, seen as the host",
    },
    Intended {
        // The Engine's rule lets everybody at the container's port, however it is published: on loopback,
        // too (172.28.0.4).
        name: "a neighbour that has a route to the containers",
        asked: &[
            "LAN -> 172.28.0.2 80/tcp",
            "LAN -> 172.28.0.2 80/udp",
            "LAN -> 172.28.0.4 80/tcp",
            "LAN -> 172.28.0.4 80/udp",
        ],
        stock: "answered, seen as LAN",
        netctl: "silence",
    },
    Intended {
        // Only docker-proxy changes the IP version. Without it the Engine itself does not publish such a
        // port, and `docker port` does not show it.
        name: "an IPv6 host address for a container without IPv6",
        asked: &[
            "host -> ::1 8112/tcp",
            "LAN -> 2001:db8:64::1 8114/tcp",
            "host -> ::1 8114/tcp",
        ],
        stock: "answered, seen as the gateway",
        netctl: "refused",
    },
    Intended {
        // Refused by either, in other words.
        name: "a port that a process of the host has",
        asked: &["docker run -p 7100:80, which is taken"],
        stock: "Error starting userland proxy: listen tcp4 0.0.0.0:7100: bind: address already in use.",
        netctl: "listen tcp4 0.0.0.0:7100: bind: address already in use.",
    },
    Intended {
        // This Engine does not know the option, and serves the network as any other.
        name: "`gateway_mode=routed` (Engine 20.10)",
        asked: &["gateway_mode_ipv4=routed: LAN -> 198.51.100.1 8130/tcp"],
        stock: "answered, seen as LAN",
        netctl: "silence",
    },
    Intended {
        // docker-proxy ends with it (live-restore keeps the containers only).
        name: "published ports while dockerd is not there",
        asked: &[
            "without dockerd: host -> 127.0.0.1 8080/tcp",
            "without dockerd: host -> 127.0.0.1 8080/udp",
        ],
        stock: "refused",
        netctl: "answered, seen as the gateway",
    },
    Intended {
        // The same from a container.
        name: "published ports while dockerd is not there",
        asked: &[
            "without dockerd: client -> 198.51.100.1 8080/tcp",
            "without dockerd: client -> 198.51.100.1 8080/udp",
        ],
        stock: "refused",
        netctl: "answered, seen as client",
    },
    Intended {
        // docker-proxy is what is left of the Engine's published ports.
        name: "a rule set that somebody flushes",
        asked: &[
            "rules flushed: LAN -> 198.51.100.1 8080/tcp",
            "rules flushed: LAN -> 198.51.100.1 8080/udp",
        ],
        stock: "answered, seen as the gateway",
        netctl: "answered, seen as LAN",
    },
    Intended {
        // Nothing is left of its masquerade; the neighbour of this lab has a route back.
        name: "a rule set that somebody flushes",
        asked: &[
            "rules flushed: client -> 198.51.100.2 7000/tcp",
            "rules flushed: client -> 198.51.100.2 7000/udp",
        ],
        stock: "answered, seen as client",
        netctl: "answered, seen as the host",
    },
    Intended {
        // Nor of the isolation of networks.
        name: "a rule set that somebody flushes",
        asked: &[
            "rules flushed: other -> 172.28.0.2 80/tcp",
            "rules flushed: other -> 172.28.0.2 80/udp",
        ],
        stock: "answered, seen as other",
        netctl: "silence",
    },
];

/// Something of networks of the driver's that is otherwise than of Docker's own ones.
pub(super) struct OfDriver {
    /// The questions that it shows in.
    pub(super) asked: &'static [&'static str],
    /// The outcome of each on either side.
    pub(super) adopted: &'static str,
    pub(super) driver: &'static str,
}

pub(super) const OF_DRIVER: &[OfDriver] = &[
    OfDriver {
        // A network without a way out has no default route; Docker's own one leads nowhere.
        asked: &[
            "inside -> 198.51.100.1 8080/tcp",
            "inside -> 198.51.100.1 8080/udp",
            "inside -> 198.51.100.2 7000/tcp",
            "inside -> 198.51.100.2 7000/udp",
        ],
        adopted: "silence",
        driver: "ENETUNREACH",
    },
    // The Engine shows ports of its own drivers only.
    OfDriver {
        asked: &["docker port web", "dockerd again: docker port web"],
        adopted: "80/tcp -> 0.0.0.0:8080; 80/tcp -> :::8080; 80/udp -> 0.0.0.0:8080; 80/udp -> :::8080",
        driver: "",
    },
    OfDriver {
        asked: &["docker port local"],
        adopted: "80/tcp -> 127.0.0.1:8082; 80/udp -> 127.0.0.1:8082",
        driver: "",
    },
    OfDriver {
        asked: &["docker ps --format {{.Ports}} --filter name=web"],
        adopted: "0.0.0.0:8080->80/tcp; 0.0.0.0:8080->80/udp; :::8080->80/tcp; :::8080->80/udp",
        driver: "",
    },
    OfDriver {
        asked: &["docker ps --format {{.Ports}} --filter name=local"],
        adopted: "127.0.0.1:8082->80/tcp; 127.0.0.1:8082->80/udp",
        driver: "",
    },
    OfDriver {
        asked: &["docker inspect -f {{json .NetworkSettings.Ports}} web"],
        adopted: r#""80/udp":[{"HostIp":"0.0.0.0"; "HostPort":"8080"}; "HostPort":"8080"}; "HostPort":"8080"}]; "HostPort":"8080"}]}; {"80/tcp":[{"HostIp":"0.0.0.0"; {"HostIp":"::"; {"HostIp":"::""#,
        driver: "{}",
    },
    OfDriver {
        // There is no socket of the Engine's that keeps the host port.
        asked: &["gateway_mode_ipv4=routed: LAN -> 198.51.100.1 8130/tcp"],
        adopted: "silence",
        driver: "refused",
    },
    // Refused in netctl's words.
    OfDriver {
        asked: &["docker run -p 8080:80, which is taken"],
        adopted: "Bind for 0.0.0.0:8080 failed: port is already allocated.",
        driver: "remote: published port \"8080:80/tcp\": 8080/tcp: port is already allocated to namespace \"web\", which published 8080:80/tcp; choose another host port, or `netctl port rm web 8080:80/tcp` first.",
    },
    OfDriver {
        asked: &["docker run -p 7100:80, which is taken"],
        adopted: "listen tcp4 0.0.0.0:7100: bind: address already in use.",
        driver: "remote: published port \"7100:80/tcp\": 7100/tcp: port is already allocated to host process (agent) on 0.0.0.0:7100; stop it, or choose another host port.",
    },
];

/// What all sides must do, and not be alike in failing at.
pub(super) const PINNED: &[(&str, &str)] = &[
    ("client -> 172.28.0.2 80/tcp", "answered, seen as client"),
    (
        "client -> 198.51.100.2 7000/udp",
        "answered, seen as the host",
    ),
    ("client pings 198.51.100.2", "answered"),
    ("client pings 172.28.0.2", "answered"),
    ("client pings 172.29.0.2", "silence"),
    ("host pings 172.28.0.2", "answered"),
    ("client looks up web", "172.28.0.2"),
    ("web looks up caller", "172.28.0.3"),
    ("client looks up outside.example", "203.0.113.9"),
    ("client looks up nobody.example", "no such name"),
    ("inside looks up beside", "172.30.0.3"),
    (
        "docker stats web, of 3 MB each way",
        "every byte counted both ways",
    ),
    (
        "LAN -> the UDP service, by a socket that it keeps",
        "answered, seen as LAN",
    ),
    (
        "the same after the service's restart, first datagram",
        "answered, seen as LAN",
    ),
    (
        "a container with --restart always whose process is killed",
        "answers again",
    ),
];
