//! `cargo xtask parsers`: the coverage-guided fuzzer over everything that netctl parses.
//!
//! libFuzzer needs its instrumentation and nothing else, which the stable compiler has: the flags
//! are those that cargo-fuzz gives without a sanitizer, and no nightly is asked for.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use crate::{setup, workspace::Workspace};

const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Clink-dead-code -Ccodegen-units=1 --cfg fuzzing";
#[derive(Args)]
pub(crate) struct Options {
    /// Only this parser, a folder of tests/parsers/corpus
    parser: Option<String>,
    /// How long each is fed
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

pub(crate) fn run(workspace: &Workspace, options: &Options) -> Result<()> {
    let folder = workspace.root().join("tests/parsers");
    let corpus = folder.join("corpus");
    let mut parsers = Vec::new();
    for entry in fs::read_dir(&corpus).with_context(|| format!("list {}", corpus.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if options.parser.as_ref().is_none_or(|only| *only == name) {
            parsers.push(name);
        }
    }
    parsers.sort();
    ensure!(
        !parsers.is_empty(),
        "no parser {:?}: they are the folders of {}",
        options.parser.as_deref().unwrap_or_default(),
        corpus.display()
    );
    setup::build_tools(workspace)?;
    // Named, so that the flags are not for build scripts.
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let target = workspace.target().join("parsers");
    workspace
        .cargo("build")
        .args(["--release", "--target", &triple])
        .folder(&folder)
        .env("CARGO_TARGET_DIR", &target)
        .env("RUSTFLAGS", FLAGS)
        .run()?;
    let program = target.join(&triple).join("release/netctl-parsers-fuzz");
    for parser in parsers {
        // What it finds on the way is kept out of the sources: what is worth it gets a name there.
        let found = target.join("found").join(&parser);
        fs::create_dir_all(&found).with_context(|| format!("create {}", found.display()))?;
        crate::cmd::Cmd::new(&program)
            .env("PARSER", &parser)
            .arg(format!("-max_total_time={}", options.seconds))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .arg(&found)
            .arg(corpus.join(&parser))
            .run()?;
    }
    Ok(())
}
