//! What Linux says about the processor: `/sys` and `/proc`, where they are there.
//!
//! Everything here is advice. What cannot be read is left out, and the caller has a value to fall back on.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

/// Cores at least this fast, in hundredths of the fastest one's speed, are of its class: boards with two kinds of core have
/// them at a half to four fifths, while equals differ by a few percent.
const SAME_CLASS: u64 = 85;

/// The cores of the fastest class that this process may run on, each once however many threads it has; at least one.
pub fn performance_cores() -> NonZeroUsize {
    // Knows of quotas, which /sys does not.
    let most = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let found = allowed().and_then(|allowed| fastest(Path::new("/sys/devices/system/cpu"), &allowed));
    found.map_or(most, |found| found.min(most))
}

/// A cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cache {
    /// Its size.
    pub bytes: usize,
    /// Processors that share it.
    pub sharers: NonZeroUsize,
}

/// The second-level cache of the first processor.
pub fn second_level_cache() -> Option<Cache> {
    let cache = Path::new("/sys/devices/system/cpu/cpu0/cache");
    let mut levels = (0..8).map(|index| cache.join(format!("index{index}")));
    let second = levels.find(|index| number(&index.join("level")) == Some(2))?;
    let sharers = text(&second.join("shared_cpu_list")).and_then(|list| parse_list(&list)).map_or(1, |list| list.len());
    let sharers = NonZeroUsize::new(sharers).unwrap_or(NonZeroUsize::MIN);
    Some(Cache { bytes: parse_size(&text(&second.join("size"))?)?, sharers })
}

/// The processor's name, or the board's, or else the architecture's.
pub fn name() -> String {
    let cpuinfo = text(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':').map(|(_, name)| name));
    let board = || text(Path::new("/proc/device-tree/model")).map(|name| name.trim_end_matches('\0').to_owned());
    let name = model.map(str::to_owned).or_else(board).unwrap_or_default();
    match name.split_whitespace().collect::<Vec<_>>().join(" ") {
        name if name.is_empty() => std::env::consts::ARCH.to_owned(),
        name => name,
    }
}

/// A size in bytes: a number, and K, M or G, with or without `iB` or `B`, for powers of 1024.
pub fn parse_size(text: &str) -> Option<usize> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = unit.trim().to_ascii_uppercase();
    let shift = match unit.strip_suffix("IB").or(unit.strip_suffix('B')).unwrap_or(&unit) {
        "" if !unit.starts_with('I') => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(1 << shift)
}

fn text(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn number(path: &Path) -> Option<u64> {
    text(path)?.parse().ok()
}

/// The processors that this process may run on.
fn allowed() -> Option<Vec<usize>> {
    let status = text(Path::new("/proc/self/status"))?;
    parse_list(status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?)
}

/// A list like `0-3,6`.
fn parse_list(text: &str) -> Option<Vec<usize>> {
    let mut list = Vec::new();
    for range in text.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        list.extend(first.parse::<usize>().ok()?..=last.parse().ok()?);
    }
    Some(list)
}

/// Of `allowed`, how many cores are of the fastest class.
fn fastest(cpus: &Path, allowed: &[usize]) -> Option<NonZeroUsize> {
    let count = |measure: &str| {
        let mut speeds = BTreeMap::new();
        for index in allowed {
            let cpu = cpus.join(format!("cpu{index}"));
            // The threads of a core share its arithmetic.
            let core = text(&cpu.join("topology/thread_siblings_list")).unwrap_or_else(|| index.to_string());
            speeds.insert(core, number(&cpu.join(measure))?);
        }
        let top = speeds.values().copied().max()?;
        NonZeroUsize::new(speeds.values().filter(|&&speed| speed * 100 >= top * SAME_CLASS).count())
    };
    count("cpu_capacity").or_else(|| count("cpufreq/cpuinfo_max_freq"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        let found = ["0", "65536", "256KiB", "512K", "2MiB", "2 MB", "1g", "1024k"].map(parse_size);
        let kib = |n: usize| Some(n << 10);
        assert_eq!(found, [Some(0), kib(64), kib(256), kib(512), kib(2048), kib(2048), kib(1 << 20), kib(1024)]);
        assert_eq!(["", "KiB", "-1", "1.5M", "3 rows", "5iB", "99999999999999999999"].map(parse_size), [None; 7]);
    }

    #[test]
    fn lists() {
        assert_eq!(parse_list("\t0-2,5\n"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_list(""), None);
    }

    #[test]
    fn big_cores_count_once_and_little_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let cpu = |index: usize, file: &str, text: &str| {
            let path = dir.path().join(format!("cpu{index}/{file}"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let count = |allowed: &[usize]| fastest(dir.path(), allowed).map(NonZeroUsize::get);
        assert_eq!(count(&[0]), None);
        // Four small cores, two large ones at a slightly different clock, one of which has two threads.
        for index in 0..4 {
            cpu(index, "cpu_capacity", "430\n");
        }
        for (index, capacity) in [(4, "1024\n"), (5, "980\n"), (6, "980\n")] {
            cpu(index, "cpu_capacity", capacity);
        }
        for index in [5, 6] {
            cpu(index, "topology/thread_siblings_list", "5-6\n");
        }
        assert_eq!(count(&[0, 1, 2, 3, 4, 5, 6]), Some(2));
        assert_eq!(count(&[0, 1, 2]), Some(3));
        assert_eq!(count(&[0, 5]), Some(1));
        // Where there are no capacities, clocks.
        for (index, clock) in [(7, "1800000\n"), (8, "2400000\n")] {
            cpu(index, "cpufreq/cpuinfo_max_freq", clock);
        }
        assert_eq!(count(&[7, 8]), Some(1));
    }

    #[test]
    fn this_machine() {
        assert!(performance_cores() <= std::thread::available_parallelism().unwrap_or(NonZeroUsize::MAX));
        assert!(!name().is_empty());
    }
}
