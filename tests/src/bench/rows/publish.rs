//! Publishing ports: by one request, by one for each port, as a range.

use super::{
    super::{
        bed::{docker::Docker, netctl::Netctl, nft::Nft},
        result::{Better, Measure},
        runner::{Effort, Group, Run, timed},
    },
    control::{Api, Engine},
};

pub const ROW: &str = "publish ports";

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

/// Milliseconds until `count` ports are published: by one request, by one for each port, and as
/// one range.
pub fn groups<'b>(
    bed: &'b Netctl,
    nft: &'b Result<Nft, String>,
    dockers: &'b [Engine],
    effort: Effort,
) -> Vec<Group<'b>> {
    let mut groups = Vec::new();
    let mut add = |name, peers| groups.push(group(ROW, name, "ms", peers));
    for count in [1, 100, 1_000, 10_000] {
        let mut peers: Vec<(&'static str, Run<'b>)> =
            vec![(Netctl::NAME, Box::new(move || publish_at_once(bed, count)))];
        for (name, docker) in dockers {
            peers.push((name, docker_or_why_not(docker, count, effort)));
        }
        peers.push((Nft::NAME, Box::new(move || load_rules(nft, count))));
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

/// Its ports come with a container: as many options as there are ports.
fn docker_or_why_not<'b>(
    docker: &'b Result<Docker, String>,
    count: u32,
    effort: Effort,
) -> Run<'b> {
    match count {
        1 => Box::new(move || run_docker(docker, &every_second(count))),
        100 if !effort.quick => Box::new(move || run_docker(docker, &every_second(count))),
        100 => Box::new(|| Err("takes seconds: not with --quick".to_owned())),
        _ => Box::new(|| Err("a rule and two processes for each: takes minutes".to_owned())),
    }
}

/// The time until nft(8) has put the rules in place of those that were there.
fn load_rules(nft: &Result<Nft, String>, count: u32) -> Result<f64, String> {
    let bed = nft.as_ref().map_err(Clone::clone)?;
    let (done, seconds) = timed(|| bed.rules(count as u16));
    let withdrawn = bed.rules(0);
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
