//! Which nodes go together: the largest sets with one input each.
//!
//! Nodes are taken in topological order. One joins an island if all that it reads is made there, or is the island's
//! input; else, if it reads only one value, it begins an island; else it stays in float. So whatever leaves an island
//! and comes back through float is not taken in again, and every island can be run at once, when its input is there.

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
    /// The value that it reads.
    pub input: &'a str,
    /// Its nodes, in order.
    pub nodes: Vec<usize>,
}

/// The groups, and the nodes that a plan could hold, but that read values of several groups.
pub fn partition<'a>(steps: &[Step<'a>]) -> (Vec<Group<'a>>, Vec<usize>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut made_in: HashMap<&str, usize> = HashMap::new();
    let mut apart = Vec::new();
    for step in steps.iter().filter(|step| step.int8) {
        let holds = |group: usize| {
            step.inputs.iter().all(|name| made_in.get(name) == Some(&group) || groups[group].input == *name)
        };
        let found = (0..groups.len()).rev().find(|&group| holds(group));
        let group = match (found, &step.inputs[..]) {
            (Some(group), _) => group,
            (None, [input, rest @ ..]) if rest.iter().all(|other| other == input) => {
                groups.push(Group { input, nodes: Vec::new() });
                groups.len() - 1
            }
            _ => {
                apart.push(step.node);
                continue;
            }
        };
        groups[group].nodes.push(step.node);
        made_in.extend(step.outputs.iter().map(|name| (*name, group)));
    }
    (groups, apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step<'a>(node: usize, inputs: &[&'a str], output: &'a str, int8: bool) -> Step<'a> {
        Step { node, inputs: inputs.to_vec(), outputs: vec![output], int8 }
    }

    #[test]
    fn a_skip_stays_in_its_island() {
        let steps = [step(0, &["x"], "a", true), step(1, &["a"], "b", true), step(2, &["a", "b"], "c", true)];
        assert_eq!(partition(&steps), (vec![Group { input: "x", nodes: vec![0, 1, 2] }], vec![]));
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
        let groups = [("x", vec![0]), ("f", vec![2]), ("c", vec![4])];
        let groups = groups.map(|(input, nodes)| Group { input, nodes }).to_vec();
        assert_eq!(partition(&steps), (groups, vec![3]));
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
        assert_eq!(partition(&steps), (vec![Group { input: "f", nodes: vec![1, 2, 3, 4] }], vec![]));
    }
}
