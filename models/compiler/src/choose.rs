//! Which quantization serves the outputs best: every choice is tried on images, and a dearer one must be worth it.

use std::rc::Rc;

use crate::bench::{Bench, Choice, Seen};
use crate::calibrate::Method;
use crate::equalize::equalize;
use crate::error::Result;
use crate::graph::{Graph, Op};
use crate::options::{Options, Progress};
use crate::quantize::Sharing;
use crate::report::Trial;

/// A choice must be this much worse, in dB, to be dropped for a dearer one.
const TOLERANCE: f64 = 0.1;

/// What one scale for all inputs of a Concat may cost, in dB: else every Concat is an operator that requantizes.
const CONCAT_TOLERANCE: f64 = 0.5;

/// How strongly channels are equalized: fully, and so that activations and weights bear it alike.
const STRENGTHS: [f32; 2] = [1.0, 0.5];

/// Where this is reached, in dB, channels are not equalized, and calibration need not run a second time.
const GOOD: f64 = 40.0;

/// The choices of a compilation, measured one after another.
pub(crate) struct Search<'a, 'g> {
    pub bench: &'g Bench<'g>,
    pub options: &'a Options,
    pub progress: &'a mut dyn FnMut(Progress),
    /// All that was tried.
    pub trials: Vec<Trial>,
}

impl<'g> Search<'_, 'g> {
    /// The choice where nothing is left to choose, or nothing to measure with.
    pub fn prescribed(&self, sharing: &'g Sharing) -> Choice<'g> {
        let graph = Rc::new(self.bench.graph.clone());
        self.plain(&graph, sharing, &Seen::new(&graph), self.methods()[0])
    }

    /// The best choice. `joined` lets Concats' inputs share a scale, `apart` does not.
    pub fn run(&mut self, joined: &'g Sharing, apart: &'g Sharing) -> Result<Choice<'g>> {
        let graph = Rc::new(self.bench.graph.clone());
        let seen = self.bench.observe(&[Rc::clone(&graph)], self.progress)?.swap_remove(0);
        let methods = self.methods();
        let mut best = (self.plain(&graph, joined, &seen, methods[0]), f64::NEG_INFINITY);
        for method in methods {
            let choice = self.plain(&graph, joined, &seen, method);
            self.attempt(&mut best, format!("ranges by {method}"), TOLERANCE, choice)?;
        }
        let seen = self.equalized(&mut best, seen)?;
        if self.options.bias_correction {
            let corrections = seen.corrections(&best.0.graph);
            let choice = Choice { corrections, ..best.0.clone() };
            self.attempt(&mut best, "bias correction".into(), 0.0, choice)?;
        }
        if best.1 < GOOD && self.options.rounding {
            let covariances = self.bench.covariances(&best.0.graph, self.progress)?;
            if let Some(graph) = covariances.round(&best.0.graph, &best.0.quants) {
                let corrections = seen.corrections(&graph);
                let choice = Choice { graph, corrections, ..best.0.clone() };
                self.attempt(&mut best, "weights rounded together".into(), TOLERANCE, choice)?;
            }
        }
        if graph.nodes.iter().any(|node| matches!(node.op, Op::Concat)) {
            let quants = apart.quantize(&seen.ranges(best.0.method));
            let choice = Choice { sharing: apart, quants, joined: false, ..best.0.clone() };
            self.attempt(&mut best, "concats requantized".into(), CONCAT_TOLERANCE, choice)?;
        }
        Ok(best.0)
    }

    /// Tries to equalize channels; returns what the values of the best choice's graph are.
    fn equalized(&mut self, best: &mut (Choice<'g>, f64), seen: Seen) -> Result<Seen> {
        if best.1 >= GOOD || !self.options.equalization {
            return Ok(seen);
        }
        let graph = Rc::clone(&best.0.graph);
        let equalized = STRENGTHS.into_iter().filter_map(|s| Some((s, Rc::new(equalize(&graph, &seen.largest, s)?))));
        let (strengths, graphs): (Vec<f32>, Vec<Rc<Graph>>) = equalized.unzip();
        if graphs.is_empty() {
            return Ok(seen);
        }
        let mut kept = seen;
        let observed = self.bench.observe(&graphs, self.progress)?;
        for ((strength, graph), seen) in strengths.into_iter().zip(graphs).zip(observed) {
            for method in self.methods() {
                let choice = self.plain(&graph, best.0.sharing, &seen, method);
                let name = format!("channels equalized by {strength}, ranges by {method}");
                self.attempt(best, name, TOLERANCE, choice)?;
            }
            if Rc::ptr_eq(&best.0.graph, &graph) {
                kept = seen;
            }
        }
        Ok(kept)
    }

    /// Measures a choice; it becomes the best if it is better by more than `margin`.
    fn attempt(&mut self, best: &mut (Choice<'g>, f64), name: String, margin: f64, choice: Choice<'g>) -> Result<()> {
        let done = self.trials.len();
        (self.progress)(Progress { stage: "measure", done, total: done + 1 });
        let sqnr = self.bench.sqnr(&choice)?;
        self.trials.push(Trial { choice: name, sqnr });
        if sqnr > best.1 + if best.1.is_finite() { margin } else { 0.0 } {
            *best = (choice, sqnr);
        }
        Ok(())
    }

    /// A choice without corrections.
    fn plain(&self, graph: &Rc<Graph>, sharing: &'g Sharing, seen: &Seen, method: Method) -> Choice<'g> {
        Choice {
            graph: Rc::clone(graph),
            sharing,
            quants: sharing.quantize(&seen.ranges(method)),
            corrections: vec![Vec::new(); graph.values.len()],
            method,
            joined: true,
        }
    }

    fn methods(&self) -> Vec<Method> {
        match self.options.method {
            Some(method) => vec![method],
            None => vec![Method::Percentile(99.99), Method::MinMax, Method::Error],
        }
    }
}
