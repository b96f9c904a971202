//! Which nodes go together: neighbours that can run at once.
//!
//! Every node has a *stage*: how often the way from the image to it changes between int8 and float, along the way with
//! most changes. Stages never fall along a way, and rise with every change; so what leaves an island and comes back
//! through float is of a later stage, and nodes of one stage can run at once, when what they read from outside is there.
//! An island is a set of int8 nodes of one stage that hang together, through what they make or through what they read.

use std::collections::HashMap;

/// A node that depends on the image.
#[derive(Clone, Debug)]
pub struct Step<'a> {
    /// Its place among all nodes.
    pub node: usize,
    /// What it reads that depends on the image.
    pub inputs: Vec<&'a str>,
    /// What it makes.
    pub outputs: Vec<&'a str>,
    /// Whether a plan can hold it.
    pub int8: bool,
}

/// Nodes that are to be one plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// The values that it reads, in the order in which they are read first.
    pub inputs: Vec<&'a str>,
    /// Its nodes, in order.
    pub nodes: Vec<usize>,
}

/// The groups, in the order of their first nodes.
pub fn partition<'a>(steps: &[Step<'a>]) -> Vec<Group<'a>> {
    // Steps that hang together point to the first of them.
    let mut first: Vec<usize> = (0..steps.len()).collect();
    let mut makers: HashMap<&str, usize> = HashMap::new();
    let mut readers: HashMap<(usize, &str), usize> = HashMap::new();
    let mut stages: Vec<usize> = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        // What the model is given is float, of stage 0.
        let after = |name: &&str| match makers.get(name) {
            Some(&maker) => stages[maker] + usize::from(steps[maker].int8 != step.int8),
            None => usize::from(step.int8),
        };
        let stage = step.inputs.iter().map(after).max().unwrap_or(0);
        stages.push(stage);
        for &name in step.inputs.iter().filter(|_| step.int8) {
            let maker = makers.get(name).copied().filter(|&maker| steps[maker].int8 && stages[maker] == stage);
            let neighbour = maker.unwrap_or_else(|| *readers.entry((stage, name)).or_insert(index));
            join(&mut first, neighbour, index);
        }
        makers.extend(step.outputs.iter().map(|name| (*name, index)));
    }
    let mut groups: Vec<Group> = Vec::new();
    let mut group_of: HashMap<usize, usize> = HashMap::new();
    for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.int8) {
        let root = root(&first, index);
        let at = *group_of.entry(root).or_insert_with(|| {
            groups.push(Group { inputs: Vec::new(), nodes: Vec::new() });
            groups.len() - 1
        });
        let group = &mut groups[at];
        for &name in &step.inputs {
            let inside = makers.get(name).is_some_and(|&maker| steps[maker].int8 && self::root(&first, maker) == root);
            if !inside && !group.inputs.contains(&name) {
                group.inputs.push(name);
            }
        }
        group.nodes.push(step.node);
    }
    groups
}

fn root(first: &[usize], mut index: usize) -> usize {
    while first[index] != index {
        index = first[index];
    }
    index
}

fn join(first: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(first, a), root(first, b));
    first[a.max(b)] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step<'a>(node: usize, inputs: &[&'a str], output: &'a str, int8: bool) -> Step<'a> {
        Step { node, inputs: inputs.to_vec(), outputs: vec![output], int8 }
    }

    fn groups<'a>(expected: &[(&[&'a str], &[usize])]) -> Vec<Group<'a>> {
        expected.iter().map(|(inputs, nodes)| Group { inputs: inputs.to_vec(), nodes: nodes.to_vec() }).collect()
    }

    #[test]
    fn a_skip_stays_in_its_island() {
        let steps = [step(0, &["x"], "a", true), step(1, &["a"], "b", true), step(2, &["a", "b"], "c", true)];
        assert_eq!(partition(&steps), groups(&[(&["x"], &[0, 1, 2])]));
    }

    #[test]
    fn what_comes_back_through_float_is_another_island() {
        // a ─▶ f (float) ─▶ b; c reads a and b.
        let steps = [
            step(0, &["x"], "a", true),
            step(1, &["a"], "f", false),
            step(2, &["f"], "b", true),
            step(3, &["a", "b"], "c", true),
            step(4, &["c"], "d", true),
        ];
        assert_eq!(partition(&steps), groups(&[(&["x"], &[0]), (&["f", "a"], &[2, 3, 4])]));
    }

    #[test]
    fn branches_of_one_float_value_share_an_island() {
        let steps = [
            step(0, &["x"], "f", false),
            step(1, &["f"], "a", true),
            step(2, &["f"], "b", true),
            step(3, &["a", "b"], "c", true),
            step(4, &["c", "f"], "d", true),
        ];
        assert_eq!(partition(&steps), groups(&[(&["f"], &[1, 2, 3, 4])]));
    }

    #[test]
    fn a_decoder_behind_a_float_encoder_is_one_island() {
        let steps = [
            step(0, &["x"], "fine", false),
            step(1, &["fine"], "coarse", false),
            step(2, &["coarse"], "up", true),
            step(3, &["up", "fine"], "out", true),
        ];
        assert_eq!(partition(&steps), groups(&[(&["coarse", "fine"], &[2, 3])]));
    }
}
