//! The end that a description asks for: class indices from the first output, as the plan's `mask`.

use microtome_core::plan;

use crate::description::{Description, Output, Task};
use crate::error::{Error, Result};
use crate::expr::Expr;
use crate::graph::{Graph, Node, Op, Quant, Value, ValueId};

/// Probabilities as core's Softmax makes them.
pub const PROBABILITY: Quant = Quant { scale: 1.0 / 256.0, zero_point: -128 };
/// Class indices.
const INDEX: Quant = Quant { scale: 1.0, zero_point: 0 };

/// Appends Softmax and Classify, or ArgMax, to the first output, and returns the post-processing record.
///
/// # Errors
/// The output does not have the classes that the description names.
pub fn append(graph: &mut Graph, description: &Description) -> Result<plan::Post> {
    let output = &description.output;
    let (name, logits) = graph.outputs.first().cloned().ok_or_else(|| Error::Model("it has no output".into()))?;
    let value = graph.values[logits].clone();
    let channels = value.channels;
    let as_frame = value.sizes == graph.values[0].sizes;
    let maker = graph.producer(logits).map(|p| &graph.nodes[p].op);
    let (is_softmax, is_index) = (matches!(maker, Some(Op::Softmax)), matches!(maker, Some(Op::ArgMax)));
    if output.method().is_some() {
        return heads(graph, output);
    }
    let task = output.task.unwrap_or(if as_frame && channels <= 128 { Task::Components } else { Task::None });
    let threshold = output.threshold.unwrap_or(0.5);
    if task != Task::None && !as_frame {
        let (found, expected) = (value.sizes[0], graph.values[0].sizes[0]);
        return Err(Error::Description(format!(
            "output `{name}` is {found:?} for a frame of {expected:?}, a mask must be as large"
        )));
    }
    let mut task_record = plan::Task::None;
    match task {
        Task::None | Task::StarConvex | Task::Flows => {}
        Task::InteriorBorder => {
            let classes @ (object, border) = (output.object.unwrap_or(1), output.border.unwrap_or(2));
            if channels != 3 || !(1..=2).contains(&object) || !(1..=2).contains(&border) || object == border {
                return Err(Error::Description(format!(
                    "task interior-border has object class {object} and border class {border} over {channels} channels of `{name}`, expected 1 and 2 (or 2 and 1) over 3"
                )));
            }
            let softmax = if is_softmax { logits } else { push(graph, Op::Softmax, "Softmax", logits, 3, PROBABILITY) };
            let op = Op::Classify { classes: Some(classes), threshold };
            graph.mask = Some(push(graph, op, "Classify", softmax, 1, INDEX));
            task_record = plan::Task::InteriorBorder { object, border };
        }
        Task::Components if is_index => {
            graph.mask = Some(logits);
            task_record = plan::Task::Components;
        }
        Task::Components if channels == 1 => {
            // A logit is as far above 0 as its probability is above one half.
            let probability = matches!(maker, Some(Op::Map(expr)) if is_probability(expr));
            let threshold = if probability { threshold } else { (threshold / (1.0 - threshold)).ln() };
            let op = Op::Classify { classes: None, threshold };
            graph.mask = Some(push(graph, op, "Classify", logits, 1, INDEX));
            task_record = plan::Task::Components;
        }
        Task::Components => {
            if channels > 128 {
                return Err(Error::Description(format!(
                    "`{name}` has {channels} channels, core picks from at most 128"
                )));
            }
            graph.mask = Some(push(graph, Op::ArgMax, "ArgMax", logits, 1, INDEX));
            task_record = plan::Task::Components;
        }
    }
    Ok(plan::Post { task: task_record, min_area: output.least_area(), grow: output.grow.unwrap_or(0.0), threshold })
}

/// The record of a task that has no mask: its outputs are handed out as they are, once they have the channels that it needs.
fn heads(graph: &Graph, output: &Output) -> Result<plan::Post> {
    let found: Vec<usize> = graph.outputs.iter().map(|(_, value)| graph.values[*value].channels).collect();
    let has = |fits: fn(usize) -> bool| found.iter().any(|&channels| fits(channels));
    let (fits, expected) = match output.task {
        Some(Task::Flows) => (has(|c| c == 3), "flows needs one of 3: flows down and to the right, and a logit"),
        _ => (
            has(|c| c == 1) && has(|c| c >= 3) || matches!(found[..], [both] if both > 3),
            "star-convex needs a probability, of one, and the distances along at least 3 rays",
        ),
    };
    if !fits {
        return Err(Error::Description(format!("the model's outputs have {found:?} channels; task {expected}")));
    }
    Ok(plan::Post {
        task: plan::Task::None,
        min_area: output.least_area(),
        grow: 0.0,
        threshold: output.threshold.unwrap_or(0.5),
    })
}

/// Whether a function stays within [0, 1] far from 0: a sigmoid of one kind or another.
fn is_probability(expr: &Expr) -> bool {
    [-50.0, 50.0].iter().all(|&x| (0.0..=1.0).contains(&expr.eval(x, 0)))
}

fn push(graph: &mut Graph, op: Op, name: &str, input: ValueId, channels: usize, quant: Quant) -> ValueId {
    let sizes = graph.values[input].sizes.clone();
    graph.values.push(Value { name: String::new(), channels, sizes, fixed: Some(quant), unit: Vec::new() });
    let output = graph.values.len() - 1;
    let source = (name.to_owned(), "from the description".to_owned());
    graph.nodes.push(Node { name: format!("mask/{name}"), source, op, inputs: vec![input], output });
    output
}

/// Prescribes what core prescribes: Softmax makes probabilities in 256ths, ArgMax makes indices. A model that prescribes
/// something else gets a requantization.
pub fn prescribe(graph: &mut Graph) {
    let mut index = 0;
    while index < graph.nodes.len() {
        let wanted = match graph.nodes[index].op {
            Op::Softmax => PROBABILITY,
            Op::ArgMax | Op::Classify { .. } => INDEX,
            _ => {
                index += 1;
                continue;
            }
        };
        let old = graph.nodes[index].output;
        match graph.values[old].fixed {
            Some(found) if found != wanted => {
                graph.values.push(Value { fixed: Some(wanted), ..graph.values[old].clone() });
                let copy = graph.values.len() - 1;
                graph.nodes[index].output = copy;
                let node = Node { op: Op::Map(Expr::X), inputs: vec![copy], output: old, ..graph.nodes[index].clone() };
                graph.nodes.insert(index + 1, node);
            }
            _ => graph.values[old].fixed = Some(wanted),
        }
        index += 1;
    }
}
