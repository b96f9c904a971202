//! A name for this machine, from /proc/cpuinfo: `x86_64-amd-epyc-zen4`, `aarch64-cortex-a76`.

use anyhow::{Context, Result, bail};

/// Arm's part numbers (`CPU part`, implementer 0x41).
const ARM_PARTS: [(&str, &str); 9] = [
    ("0xd03", "cortex-a53"),
    ("0xd05", "cortex-a55"),
    ("0xd07", "cortex-a57"),
    ("0xd08", "cortex-a72"),
    ("0xd0b", "cortex-a76"),
    ("0xd0c", "neoverse-n1"),
    ("0xd40", "neoverse-v1"),
    ("0xd42", "cortex-a78ae"),
    ("0xd4f", "neoverse-v2"),
];

/// The machine's name, fit for a folder.
///
/// # Errors
/// /proc/cpuinfo cannot be read, or does not tell.
pub fn name() -> Result<String> {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").context("/proc/cpuinfo: cannot be read")?;
    let arch = std::env::consts::ARCH;
    let cpu = match arch {
        "x86_64" => x86(&cpuinfo),
        "aarch64" => arm(&cpuinfo),
        _ => bail!("no name for machines of architecture {arch}"),
    };
    Ok(format!("{arch}-{}", cpu.context("/proc/cpuinfo does not name the CPU")?))
}

/// A field of the first CPU.
fn field<'a>(cpuinfo: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// A CPU of several kinds of cores (big.LITTLE) is called by the last, which is the big one.
fn arm(cpuinfo: &str) -> Option<String> {
    let parts = cpuinfo.lines().filter(|line| line.starts_with("CPU part"));
    let part = parts.filter_map(|line| line.split_once(':')).next_back()?.1.trim();
    let known = ARM_PARTS.iter().find(|(number, _)| *number == part);
    Some(known.map_or_else(|| format!("part-{part}"), |(_, name)| (*name).to_owned()))
}

fn x86(cpuinfo: &str) -> Option<String> {
    let number = |name| field(cpuinfo, name)?.parse::<u32>().ok();
    let vendor = match field(cpuinfo, "vendor_id")? {
        "AuthenticAMD" => "amd",
        "GenuineIntel" => "intel",
        _ => "other",
    };
    // AMD's families and models, as its revision guides have them.
    let core = match (vendor, number("cpu family")?, number("model")?) {
        ("amd", 23, 0..=47) => "zen",
        ("amd", 23, _) => "zen2",
        ("amd", 25, 0x10..=0x1f | 0x60..=0x7f | 0xa0..=0xaf) => "zen4",
        ("amd", 25, _) => "zen3",
        ("amd", 26, _) => "zen5",
        _ => "",
    };
    // "Intel(R) Core(TM) i7-1185G7 @ 3.00GHz": the rest says nothing.
    let model = field(cpuinfo, "model name")?.split('@').next()?.to_lowercase();
    let noise = ["(r)", "(tm)", "cpu", "processor", "with radeon graphics"];
    let model = noise.iter().fold(model, |model, noise| model.replace(noise, " "));
    let words = model.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty() && *word != vendor);
    let words: Vec<&str> = [vendor].into_iter().chain(words).chain([core]).filter(|word| !word.is_empty()).collect();
    Some(words.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let amd =
            "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n";
        assert_eq!(x86(amd).as_deref(), Some("amd-epyc-zen4"));
        let intel = "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t: 140\n\
                     model name\t: 11th Gen Intel(R) Core(TM) i7-1185G7 @ 3.00GHz\n";
        assert_eq!(x86(intel).as_deref(), Some("intel-11th-gen-core-i7-1185g7"));
        assert_eq!(arm("CPU part\t: 0xd03\nCPU part\t: 0xd0b\n").as_deref(), Some("cortex-a76"));
        assert_eq!(arm("CPU part\t: 0xfff\n").as_deref(), Some("part-0xfff"));
        assert_eq!(x86("flags: none\n"), None);
    }
}
