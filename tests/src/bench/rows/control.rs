//! The control plane: publishing ports, creating and removing endpoints.

use std::{path::Path as FilePath, sync::Mutex, thread};

use netctl::{
    api::types::{Ns, NsCreate, Port, Specs},
    client::Client,
};

use super::super::{
    bed::{
        docker::{Docker, Proxy},
        netctl::Netctl,
    },
    result::{Better, Measure, Outcome, Series, percentile},
    runner::{Effort, Group, Run, timed},
};

pub const PUBLISH: &str = "publish ports";
pub const ENDPOINTS: &str = "create and remove endpoints";
pub const SERIAL: &str = "one after the other";
pub const AT_ONCE: &str = "32 at once";

/// Name of the measurement of ports that are published by one request.
pub fn singles(count: u32) -> String {
    format!("{count} single ports")
}

/// Name of that of ports with a request each.
pub fn requests(count: u32) -> String {
    format!("{count} single ports, a request each")
}

/// Name of a range's.
pub fn range(count: u32) -> String {
    format!("a range of {count}")
}

/// A connection to a lab's daemon.
pub struct Api {
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Api {
    pub fn new(bed: &Netctl) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            runtime,
            client: Client::new(&bed.lab.run()),
        })
    }

    pub fn publish(&self, ns: &str, specs: Vec<String>) -> Result<(), String> {
        let made: Result<Vec<Port>, _> = self.runtime.block_on(
            self.client
                .post(&format!("/v1/namespaces/{ns}/ports"), &Specs { specs }),
        );
        made.map(drop).map_err(|error| format!("{error:#}"))
    }

    pub fn withdraw(&self, ns: &str, specs: Vec<String>) -> Result<(), String> {
        self.runtime
            .block_on(
                self.client
                    .delete_with(&format!("/v1/namespaces/{ns}/ports"), &Specs { specs }),
            )
            .map_err(|error| format!("{error:#}"))
    }

    fn create(&self, name: &str) -> Result<(), String> {
        let body = NsCreate {
            name: name.to_owned(),
            network: Some("app".to_owned()),
            ..NsCreate::default()
        };
        let made: Result<Ns, _> = self
            .runtime
            .block_on(self.client.post("/v1/namespaces", &body));
        made.map(drop).map_err(|error| format!("{error:#}"))
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        self.runtime
            .block_on(self.client.delete(&format!("/v1/namespaces/{name}")))
            .map_err(|error| format!("{error:#}"))
    }
}

/// Publishes in one request.
pub fn publish(bed: &Netctl, ns: &str, specs: Vec<String>) -> Result<(), String> {
    Api::new(bed)?.publish(ns, specs)
}

/// Milliseconds until `count` ports are published: by one request, by one for each port, and as
/// one range.
pub fn publish_groups<'b>(
    bed: &'b Netctl,
    dockers: &'b [(&'static str, Result<Docker, String>)],
    effort: Effort,
) -> Vec<Group<'b>> {
    let mut groups = Vec::new();
    let mut add = |name, peers| groups.push(group(PUBLISH, name, "ms", peers));
    for count in [1, 100, 1_000, 10_000] {
        let mut peers: Vec<(&'static str, Run<'b>)> =
            vec![(Netctl::NAME, Box::new(move || publish_at_once(bed, count)))];
        // Its ports come with a container: as many options as there are ports.
        if count <= if effort.quick { 1 } else { 100 } {
            for (name, docker) in dockers {
                let run = move || run_docker(docker, &every_second(count));
                peers.push((name, Box::new(run)));
            }
        }
        add(singles(count), peers);
    }
    for count in [100, 1_000, 10_000] {
        // A minute and more.
        if count < 10_000 || !effort.quick {
            let run = move || publish_singly(bed, count);
            add(requests(count), vec![(Netctl::NAME, Box::new(run))]);
        }
    }
    for count in [1_000, 10_000] {
        let run = move || publish_range(bed, count);
        add(range(count), vec![(Netctl::NAME, Box::new(run))]);
    }
    groups
}

fn group<'b>(
    row: &'static str,
    name: String,
    unit: &'static str,
    peers: Vec<(&'static str, Run<'b>)>,
) -> Group<'b> {
    let better = Better::Lower;
    let measure = Measure {
        row,
        name,
        unit,
        better,
    };
    Group { measure, peers }
}

/// Every second number, so that no two make a range.
fn every_second(count: u32) -> Vec<String> {
    let ports = (0..count).map(|index| 20_000 + index * 2);
    ports.map(|port| format!("{port}:{port}")).collect()
}

fn publish_at_once(bed: &Netctl, count: u32) -> Result<f64, String> {
    let api = Api::new(bed)?;
    let specs = every_second(count);
    let (done, seconds) = timed(|| api.publish("web", specs.clone()));
    let withdrawn = api.withdraw("web", specs);
    done.and(withdrawn).map(|()| seconds * 1e3)
}

fn publish_singly(bed: &Netctl, count: u32) -> Result<f64, String> {
    let api = Api::new(bed)?;
    let specs = every_second(count);
    let (done, seconds) = timed(|| {
        let mut specs = specs.iter();
        specs.try_for_each(|spec| api.publish("web", vec![spec.clone()]))
    });
    let withdrawn = api.withdraw("web", specs);
    done.and(withdrawn).map(|()| seconds * 1e3)
}

fn publish_range(bed: &Netctl, count: u32) -> Result<f64, String> {
    let api = Api::new(bed)?;
    let last = 20_000 + count - 1;
    let specs = vec![format!("20000-{last}:20000-{last}")];
    let (done, seconds) = timed(|| api.publish("web", specs.clone()));
    let withdrawn = api.withdraw("web", specs);
    done.and(withdrawn).map(|()| seconds * 1e3)
}

/// The time until the container runs, ports included.
fn run_docker(docker: &Result<Docker, String>, specs: &[String]) -> Result<f64, String> {
    let docker = docker.as_ref().map_err(Clone::clone)?;
    let options: Vec<&str> = specs
        .iter()
        .flat_map(|spec| ["-p", spec.as_str()])
        .collect();
    let (done, seconds) = timed(|| docker.run("many", &options));
    let removed = docker.remove("many");
    done.and(removed).map(|()| seconds * 1e3)
}

/// Times of single operations, in milliseconds.
#[derive(Default)]
struct Times {
    create: Vec<f64>,
    remove: Vec<f64>,
    create_total: f64,
    remove_total: f64,
}

/// Endpoints of netctl, and Docker's containers beside them.
pub fn endpoints(
    effort: Effort,
    dockers: &[(&'static str, Result<Docker, String>)],
) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let counts: &[usize] = if effort.quick {
        &[100]
    } else {
        &[1, 100, 1_000]
    };
    for count in counts {
        for (how, threads) in [(SERIAL, 1), (AT_ONCE, 32)] {
            if *count > 1 || threads == 1 {
                let times = Netctl::start("").and_then(|bed| endpoints_of(&bed, *count, threads));
                outcomes.extend(show(*count, how, vec![(Netctl::NAME, times)]));
            }
        }
    }
    let before = if effort.quick { 200 } else { 1_000 };
    let times = Netctl::start("").and_then(|bed| {
        let names: Vec<String> = (0..before).map(|index| format!("before-{index}")).collect();
        each(&bed, &names, 1, Api::create)?;
        endpoints_of(&bed, 100, 1)
    });
    let how = format!("{SERIAL}, {before} there before");
    outcomes.extend(show(100, &how, vec![(Netctl::NAME, times)]));
    let count = if effort.quick { 3 } else { 20 };
    let series = dockers
        .iter()
        .map(|(name, docker)| (*name, containers_of(docker, count)))
        .collect();
    outcomes.extend(show(count, "containers with their processes", series));
    outcomes
}

fn endpoints_of(bed: &Netctl, count: usize, threads: usize) -> Result<Times, String> {
    let names: Vec<String> = (0..count).map(|index| format!("e{index}")).collect();
    let (create, create_total) = timed(|| each(bed, &names, threads, Api::create));
    let (remove, remove_total) = timed(|| each(bed, &names, threads, Api::remove));
    Ok(Times {
        create: create?,
        remove: remove?,
        create_total,
        remove_total,
    })
}

/// Does it for every name, by so many threads; the time that each took.
fn each(
    bed: &Netctl,
    names: &[String],
    threads: usize,
    operation: fn(&Api, &str) -> Result<(), String>,
) -> Result<Vec<f64>, String> {
    let left = Mutex::new(names.iter());
    let work = || -> Result<Vec<f64>, String> {
        let api = Api::new(bed)?;
        let mut times = Vec::new();
        while let Some(name) = left.lock().ok().and_then(|mut left| left.next()) {
            let (done, seconds) = timed(|| operation(&api, name));
            done?;
            times.push(seconds * 1e3);
        }
        Ok(times)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut times = Vec::new();
        for worker in workers {
            let done = worker.join().map_err(|_panic| "a thread panicked")?;
            times.extend(done?);
        }
        Ok(times)
    })
}

fn containers_of(docker: &Result<Docker, String>, count: usize) -> Result<Times, String> {
    let docker = docker.as_ref().map_err(Clone::clone)?;
    let mut times = Times::default();
    for index in 0..count {
        let name = format!("e{index}");
        let (done, seconds) = timed(|| docker.run(&name, &[]));
        done?;
        times.create.push(seconds * 1e3);
    }
    for index in 0..count {
        let (done, seconds) = timed(|| docker.remove(&format!("e{index}")));
        done?;
        times.remove.push(seconds * 1e3);
    }
    times.create_total = times.create.iter().sum::<f64>() / 1e3;
    times.remove_total = times.remove.iter().sum::<f64>() / 1e3;
    Ok(times)
}

/// Name of an endpoint measurement.
pub fn endpoint_name(verb: &str, count: usize, how: &str, what: &str) -> String {
    format!("{verb} {count} {how}: {what}")
}

fn show(
    count: usize,
    how: &str,
    peers: Vec<(&'static str, Result<Times, String>)>,
) -> Vec<Outcome> {
    type Pick = fn(&Times) -> Option<f64>;
    let quantities: [(&str, &str, &'static str, Better, Pick); 6] = [
        ("create", "p50", "ms", Better::Lower, |t| {
            percentile(&t.create, 0.5)
        }),
        ("create", "p99", "ms", Better::Lower, |t| {
            percentile(&t.create, 0.99)
        }),
        ("create", "rate", "1/s", Better::Higher, |t| {
            Some(t.create.len() as f64 / t.create_total)
        }),
        ("remove", "p50", "ms", Better::Lower, |t| {
            percentile(&t.remove, 0.5)
        }),
        ("remove", "p99", "ms", Better::Lower, |t| {
            percentile(&t.remove, 0.99)
        }),
        ("remove", "rate", "1/s", Better::Higher, |t| {
            Some(t.remove.len() as f64 / t.remove_total)
        }),
    ];
    quantities
        .into_iter()
        .map(|(verb, what, unit, better, pick)| Outcome {
            measure: Measure {
                row: ENDPOINTS,
                name: endpoint_name(verb, count, how, what),
                unit,
                better,
            },
            series: peers
                .iter()
                .map(|(peer, times)| Series {
                    peer,
                    values: times.as_ref().ok().and_then(pick).into_iter().collect(),
                    missing: times.as_ref().err().cloned(),
                })
                .collect(),
        })
        .collect()
}

/// Both Engines, or why there are none.
pub fn dockers(tools: &FilePath) -> Vec<(&'static str, Result<Docker, String>)> {
    [
        (Docker::WITH_PROXY, Proxy::On),
        (Docker::WITHOUT_PROXY, Proxy::Off),
    ]
    .map(|(name, proxy)| (name, Docker::start(proxy, tools)))
    .into()
}
