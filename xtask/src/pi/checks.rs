//! What the guest must have said and done.

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::guest::{Log, Step};

/// The pins that the guest's script names.
const LIGHT: u32 = 18;
const STEP: u32 = 20;
const DIRECTION: u32 = 21;
const ENABLE: u32 = 16;
const STATUS: u32 = 24;

/// Looks at a step; says what it saw.
type Check = fn(&Step) -> Result<String>;

/// Looks at every step.
///
/// # Errors
/// Which step is wrong, and how.
pub fn check(log: &Log) -> Result<()> {
    let checks: [(&str, Check); 17] = [
        ("cameras", cameras),
        ("grey", frames),
        ("yuyv", frames),
        ("spoil", spoilt),
        ("live", segmented),
        ("mjpeg", |step| refused(step, "offers no MJPG frames; it has")),
        ("nowhere", |step| refused(step, "/dev/video7: there is no such device; there are /dev/video0 (vivid")),
        ("unplug", unplug),
        ("board", |step| said(step, "Raspberry Pi 3 B")),
        ("on", |step| moved(step, LIGHT, &[true])),
        ("off", |step| moved(step, LIGHT, &[false])),
        ("dim", |step| pulsed(step, LIGHT, 20..=110)),
        ("flash", flashed),
        ("steps", stepped),
        ("signal", |step| pulsed(step, STATUS, 2..=6)),
        ("watch", watched),
        ("missing", |step| refused(step, "this Raspberry Pi has no GPIO 60")),
    ];
    for (name, check) in checks {
        let step =
            log.steps.iter().find(|step| step.name == name).with_context(|| format!("{name}: it never began"))?;
        let result = check(step).with_context(|| format!("{name}: {}", step.lines.join("\n    ")))?;
        println!("  {name}: {result}");
    }
    ensure!(log.steps.len() == checks.len(), "the guest took steps that nobody looked at");
    Ok(())
}

/// The step's output as JSON, line by line.
fn json(step: &Step) -> Result<Vec<Value>> {
    let lines = step.lines.iter().filter(|line| line.starts_with('{'));
    lines.map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}"))).collect()
}

fn went_well(step: &Step) -> Result<()> {
    ensure!(step.status == Some(0), "it ended with status {:?}", step.status);
    Ok(())
}

/// vivid is listed with formats and sizes.
fn cameras(step: &Step) -> Result<String> {
    went_well(step)?;
    let devices: Value = serde_json::from_str(&step.lines.join("\n")).context("no JSON")?;
    let device = devices.get(0).context("no device")?;
    ensure!(device["path"] == "/dev/video0", "the first is {}", device["path"]);
    let offers = device["offers"].as_array().context("no offers")?;
    let readable: Vec<&str> =
        offers.iter().filter(|offer| offer["readable"] == true).filter_map(|offer| offer["fourcc"].as_str()).collect();
    for wanted in ["GREY", "YUYV"] {
        ensure!(readable.contains(&wanted), "no {wanted} among {readable:?}");
    }
    Ok(format!("{}, of {} formats {} can be read", device["name"], offers.len(), readable.join(", ")))
}

/// Frames of the size and at the rate that were asked for, none of them blank.
fn frames(step: &Step) -> Result<String> {
    went_well(step)?;
    let lines = json(step)?;
    let frames: Vec<&Value> = lines.iter().filter(|line| line["event"] == "frame").collect();
    ensure!(frames.len() == 12, "{} frames where 12 were asked for", frames.len());
    let number = |frame: &Value, name: &str| frame[name].as_f64().with_context(|| format!("a frame without {name}"));
    for frame in &frames {
        ensure!(frame["width"] == 640 && frame["height"] == 360 && frame["bits"] == 8, "a frame that is {frame}");
        let mean = number(frame, "mean")?;
        ensure!((20.0..235.0).contains(&mean), "a frame of mean {mean}: vivid shows bars of all brightnesses");
        ensure!(number(frame, "age_s")? < 5.0, "a frame from another time: {frame}");
    }
    // The camera's own count of frames tells its rate, however slow the emulation is.
    let (mut seconds, mut intervals) = (0.0, 0.0);
    for frame in &frames[1..] {
        seconds += number(frame, "interval_s")?;
        intervals += 1.0 + number(frame, "lost")?;
    }
    let fps = intervals / seconds;
    ensure!((15.0..40.0).contains(&fps), "{fps:.1} frames per second where 25 were asked for");
    Ok(format!("12 frames of 640x360, {fps:.1} per second, mean {:.1}", number(frames[0], "mean")?))
}

/// What the camera lost and what it damaged is counted.
fn spoilt(step: &Step) -> Result<String> {
    frames(step)?;
    let lines = json(step)?;
    let end = lines.iter().find(|line| line["event"] == "end").context("no counts")?;
    let count = |name: &str| end[name].as_u64().with_context(|| format!("no count of {name}"));
    let (lost, spoilt) = (count("lost")?, count("spoilt")?);
    // Fewer than one in a hundred thousand times, by the binomial distribution.
    ensure!(lost >= 6, "{lost} frames were lost where four of five were to be");
    ensure!(spoilt == 1, "{spoilt} frames were damaged, where one was");
    Ok(format!("{lost} frames lost and {spoilt} damaged, as the camera was told to"))
}

/// The camera's frames were segmented, and what is in them was found.
fn segmented(step: &Step) -> Result<String> {
    went_well(step)?;
    let frames = json(step)?;
    ensure!(frames.len() == 5, "{} frames where 5 were asked for", frames.len());
    let counts: Vec<usize> = frames.iter().filter_map(|frame| Some(frame["objects"].as_array()?.len())).collect();
    ensure!(counts.len() == 5 && counts.iter().all(|&count| count > 0), "objects by frame: {counts:?}");
    Ok(format!("five frames of 320x180, {counts:?} objects"))
}

/// Something that cannot be is refused, in these words.
fn refused(step: &Step, words: &str) -> Result<String> {
    ensure!(step.status != Some(0), "it succeeded");
    said(step, words)
}

fn said(step: &Step, words: &str) -> Result<String> {
    let line = step.lines.iter().find(|line| line.contains(words));
    Ok(line.with_context(|| format!("it did not say \"{words}\""))?.trim().to_owned())
}

/// Frames; the camera is pulled out, and that is said; it comes back, and so do the frames.
fn unplug(step: &Step) -> Result<String> {
    went_well(step)?;
    let lines = json(step)?;
    let events: Vec<&str> =
        lines.iter().map(|line| line["state"].as_str().or(line["event"].as_str()).unwrap_or("")).collect();
    let gone = events.iter().position(|&event| event == "waiting").context("it was never reported as gone")?;
    let frames = |events: &[&str]| events.iter().filter(|&&event| event == "frame").count();
    let back =
        gone + events[gone..].iter().position(|&event| event == "running").context("it was never opened again")?;
    ensure!(frames(&events[..gone]) >= 5 && frames(&events[back..]) >= 5, "too few frames: {events:?}");
    ensure!(frames(&events[gone..back]) <= 1, "frames of a camera that was gone: {events:?}");
    let reason = lines[gone]["reason"].as_str().context("no reason was given")?;
    ensure!(reason.contains("is gone"), "the reason was \"{reason}\"");
    Ok(format!("\"{reason}\", and after {} frames more of it", frames(&events[back..])))
}

/// The levels that a pin took.
fn levels(step: &Step, pin: u32) -> Vec<bool> {
    step.pins.iter().filter(|(number, _)| *number == pin).map(|(_, high)| *high).collect()
}

/// The pin took exactly these levels.
fn moved(step: &Step, pin: u32, wanted: &[bool]) -> Result<String> {
    went_well(step)?;
    let levels = levels(step, pin);
    ensure!(levels == wanted, "GPIO {pin} went {levels:?} (true is high), expected {wanted:?}");
    Ok(format!("GPIO {pin} went {}", if wanted[0] { "high" } else { "low" }))
}

/// The pin was pulsed about so often, and is low at the end.
fn pulsed(step: &Step, pin: u32, wanted: std::ops::RangeInclusive<usize>) -> Result<String> {
    went_well(step)?;
    let levels = levels(step, pin);
    let pulses = levels.iter().filter(|&&high| high).count();
    ensure!(wanted.contains(&pulses), "GPIO {pin} was pulsed {pulses} times, expected {wanted:?}");
    ensure!(levels.last() == Some(&false), "GPIO {pin} was left high");
    Ok(format!("GPIO {pin} was pulsed {pulses} times"))
}

/// The light was on for one frame.
fn flashed(step: &Step) -> Result<String> {
    moved(step, LIGHT, &[true, false])?;
    said(step, "/tmp/lit.png: 320x180")
}

/// Five steps backwards, with the driver's current on.
fn stepped(step: &Step) -> Result<String> {
    said(step, "5 steps")?;
    pulsed(step, STEP, 5..=5)?;
    ensure!(levels(step, DIRECTION) == [true], "the direction went {:?}", levels(step, DIRECTION));
    ensure!(levels(step, ENABLE) == [true, false], "enable went {:?}", levels(step, ENABLE));
    let order: Vec<u32> = step.pins.iter().map(|(pin, _)| *pin).collect();
    let [first, last] = [order.iter().position(|&pin| pin == STEP), order.iter().rposition(|&pin| pin == STEP)];
    let on = order.iter().enumerate().filter(|(_, pin)| **pin == ENABLE).map(|(at, _)| at).collect::<Vec<_>>();
    ensure!(Some(on[0]) < first && last < Some(on[1]), "steps without current: {order:?}");
    Ok("five pulses, backwards, with current".into())
}

/// Four edges of the trigger, by turns.
fn watched(step: &Step) -> Result<String> {
    went_well(step)?;
    let lines = json(step)?;
    let edges: Vec<&str> = lines.iter().filter_map(|line| line["edge"].as_str()).collect();
    match edges[..] {
        ["on", "off", "on", "off"] | ["off", "on", "off", "on"] => Ok(format!("saw {}", edges.join(", "))),
        _ => bail!("it saw {edges:?}"),
    }
}
