//! Processor, memory, temperature, clock.

use std::fs::read_to_string;
use std::path::Path;
use std::time::{Duration, SystemTime};

use microtome_core::Kernel;

use super::Check;
use crate::machine::{cores, plural};

/// The kernel that plans will run with.
pub fn processor() -> Check {
    let (cpu, cores, kernel) = (cores::name(), cores::performance_cores().get(), Kernel::best().name());
    let found = format!("{cpu}, {cores} performance core{}, kernel {kernel}", plural(cores));
    match kernel {
        "scalar" => Check::warning(
            "processor",
            found,
            "no kernel knows this processor's vector instructions: expect a tenth of the speed",
        ),
        _ => Check::good("processor", found),
    }
}

/// Less free memory than this will not do for large frames and a page to look at.
const LITTLE_MIB: u64 = 64;

/// Memory that is free for programs.
pub fn memory(root: &Path) -> Check {
    let text = read_to_string(root.join("proc/meminfo")).unwrap_or_default();
    let kib = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    let (Some(total), Some(free)) = (kib("MemTotal:"), kib("MemAvailable:")) else {
        return Check::absent("memory", "this system does not tell");
    };
    let found = format!("{} of {} MiB free", free / 1024, total / 1024);
    if free / 1024 < LITTLE_MIB {
        return Check::warning("memory", found, "close other programs; a swap file on an SD card is no help");
    }
    Check::good("memory", found)
}

/// From here on a Raspberry Pi slows itself down, in °C.
const HOT: f64 = 80.0;

/// How warm the processor is, where that is told.
pub fn temperature(root: &Path) -> Option<Check> {
    let text = read_to_string(root.join("sys/class/thermal/thermal_zone0/temp")).ok()?;
    let celsius = text.trim().parse::<f64>().ok()? / 1000.0;
    let found = format!("{celsius:.0} °C");
    Some(if celsius >= HOT {
        Check::warning(
            "temperature",
            found,
            "the processor slows down when it is hot; give it air, a heat sink or a fan",
        )
    } else {
        Check::good("temperature", found)
    })
}

/// The beginning of 2025: no clock that was ever set shows less.
const RECENT: Duration = Duration::from_secs(1_735_689_600);

/// Whether the clock has been set: recordings are named by it.
pub fn clock(now: SystemTime) -> Check {
    let since_1970 = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    if since_1970 < RECENT {
        return Check::warning(
            "clock",
            "not set",
            "recordings are named and dated by it; connect to a network once, or set it by `sudo date -s`",
        );
    }
    Check::good("clock", "set")
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn what_the_system_says_decides() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(memory(dir.path()).verdict, Verdict::Absent);
        assert!(temperature(dir.path()).is_none());
        write("proc/meminfo", "MemTotal:  1000000 kB\nMemAvailable:   50000 kB\n");
        write("sys/class/thermal/thermal_zone0/temp", "84321\n");
        let memory = memory(dir.path());
        assert_eq!((memory.verdict, memory.found.as_str()), (Verdict::Warning, "48 of 976 MiB free"));
        let temperature = temperature(dir.path()).unwrap();
        assert_eq!((temperature.verdict, temperature.found.as_str()), (Verdict::Warning, "84 °C"));
        assert_eq!(clock(SystemTime::UNIX_EPOCH).verdict, Verdict::Warning);
        assert_eq!(clock(SystemTime::UNIX_EPOCH + 2 * RECENT).verdict, Verdict::Good);
    }
}
