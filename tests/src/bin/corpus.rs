//! Writes the cases that `tests/guest` runs: `corpus conformance KERNEL SEEDS FILE`, or `corpus layers KERNEL FILE
//! [NAME=PLAN.mtm …]`, which adds whole networks on a frame of 96x96.

use std::process::ExitCode;

use microtome_tests::corpus;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let written = match arguments[..] {
        ["conformance", kernel, seeds, file] => seeds
            .parse()
            .map_err(|error| format!("{seeds}: {error}"))
            .and_then(|seeds| write(file, corpus::conformance(kernel, seeds))),
        ["layers", kernel, file, ref networks @ ..] => layers(kernel, networks).and_then(|corpus| write(file, corpus)),
        _ => Err("corpus conformance KERNEL SEEDS FILE, or corpus layers KERNEL FILE [NAME=PLAN.mtm …]".to_owned()),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn layers(kernel: &str, networks: &[&str]) -> Result<corpus::Corpus, String> {
    let mut corpus = corpus::layers(kernel);
    for network in networks {
        let (name, path) = network.split_once('=').ok_or_else(|| format!("{network}: expected NAME=PLAN.mtm"))?;
        let plan = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
        corpus.network(name, &plan, 96, 96);
    }
    Ok(corpus)
}

fn write(file: &str, corpus: corpus::Corpus) -> Result<(), String> {
    std::fs::write(file, corpus.finish()).map_err(|error| format!("{file}: {error}"))
}
