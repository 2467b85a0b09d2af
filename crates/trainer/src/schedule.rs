//! The learning rate of every step.

use std::f64::consts::PI;

use burn::lr_scheduler::{LrScheduler, LrSchedulerRecord};

use crate::config::{RunConfig, ScheduleKind};

/// The first rate of `one-cycle`, as a share of the highest (PyTorch's `div_factor` 25).
const FIRST: f64 = 1.0 / 25.0;
/// The last rate of `one-cycle`, as a share of the first (PyTorch's `final_div_factor` 1e4).
const LAST: f64 = 1e-4;

/// The learning rate as a function of the step alone, so that a resumed run continues it exactly.
#[derive(Clone, Debug)]
pub struct Schedule {
    config: RunConfig,
    steps_per_epoch: usize,
    /// Steps taken so far.
    step: usize,
}

impl Schedule {
    /// The schedule of a run with this many optimizer steps in each epoch (at least 1).
    pub fn new(config: &RunConfig, steps_per_epoch: usize) -> Self {
        Self {
            config: config.clone(),
            steps_per_epoch: steps_per_epoch.max(1),
            step: 0,
        }
    }

    /// The learning rate of step number `step` (from 0) of the run.
    pub fn learning_rate(&self, step: usize) -> f64 {
        let epoch = step / self.steps_per_epoch + 1;
        let steps = self.config.schedule_epochs(epoch) * self.steps_per_epoch;
        // The last step's share is 1, as in PyTorch.
        let progress = step as f64 / (steps.saturating_sub(1)).max(1) as f64;
        let highest = self.config.optimizer.learning_rate;
        highest * self.share(progress.min(1.0))
    }

    /// The rate at `progress` through the run (0 to 1), as a share of the highest.
    fn share(&self, progress: f64) -> f64 {
        let warmup = self.config.schedule.warmup;
        let rising = progress < warmup;
        let part = if rising {
            progress / warmup
        } else {
            (progress - warmup) / (1.0 - warmup)
        };
        // From 0 at the beginning of the part to 1 at its end, with no slope at either.
        let cosine = (1.0 - (PI * part).cos()) / 2.0;
        match (self.config.schedule.kind, rising) {
            (ScheduleKind::Constant, _) => 1.0,
            (ScheduleKind::OneCycle, true) => FIRST + (1.0 - FIRST) * cosine,
            (ScheduleKind::OneCycle, false) => 1.0 + (FIRST * LAST - 1.0) * cosine,
            (ScheduleKind::Cosine | ScheduleKind::Linear, true) => part,
            (ScheduleKind::Cosine, false) => 1.0 - cosine,
            (ScheduleKind::Linear, false) => 1.0 - part,
        }
    }
}

const STEP: &str = "step";

impl LrScheduler for Schedule {
    fn step(&mut self) -> f64 {
        let rate = self.learning_rate(self.step);
        self.step += 1;
        rate
    }

    fn to_record(&self) -> LrSchedulerRecord {
        LrSchedulerRecord::new().with_scalar(STEP, self.step as u64)
    }

    fn load_record(&mut self, record: LrSchedulerRecord) {
        if let Some(step) = record.scalar::<u64>(STEP) {
            self.step = step as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Extension;

    fn schedule(kind: ScheduleKind, warmup: f64) -> Schedule {
        let mut config = RunConfig {
            epochs: 2,
            ..RunConfig::default()
        };
        config.optimizer.learning_rate = 0.1;
        config.schedule.kind = kind;
        config.schedule.warmup = warmup;
        Schedule::new(&config, 5)
    }

    fn assert_rates(mut schedule: Schedule, expected: [f64; 10]) {
        for (step, expected) in expected.into_iter().enumerate() {
            let rate = schedule.step();
            assert!(
                (rate - expected).abs() < 1e-9,
                "step {step}: {rate}, not {expected}"
            );
        }
    }

    /// `torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10, pct_start=1/3)` of
    /// PyTorch 2.15 (whose warm-up of n steps lasts `pct_start * total_steps - 1`, here 7/3 of 9).
    #[test]
    fn one_cycle_is_pytorchs() {
        let warmup = (10.0 / 3.0 - 1.0) / 9.0;
        assert_rates(
            schedule(ScheduleKind::OneCycle, warmup),
            ONE_CYCLE_OF_PYTORCH,
        );
    }

    const ONE_CYCLE_OF_PYTORCH: [f64; 10] = [
        0.0040000000000000036,
        0.04131899517009691,
        0.09524650565931612,
        0.09755283560345443,
        0.08535539763797113,
        0.0654509879153485,
        0.042178508034881455,
        0.02061105494242681,
        0.005450051991886449,
        4e-07,
    ];

    #[test]
    fn linear_rises_and_falls() {
        assert_rates(
            schedule(ScheduleKind::Linear, 1.0 / 3.0),
            [0.0, 1.0, 2.0, 3.0, 2.5, 2.0, 1.5, 1.0, 0.5, 0.0].map(|share| 0.1 * share / 3.0),
        );
    }

    #[test]
    fn cosine_falls_to_nothing() {
        let schedule = schedule(ScheduleKind::Cosine, 0.0);
        assert_eq!(schedule.learning_rate(0), 0.1);
        assert!(schedule.learning_rate(9).abs() < 1e-15);
        let expected = 0.05 * (1.0 + (PI / 3.0).cos());
        assert!((schedule.learning_rate(3) - expected).abs() < 1e-12);
    }

    #[test]
    fn a_restored_schedule_continues() {
        let mut whole = schedule(ScheduleKind::OneCycle, 0.25);
        let mut restored = whole.clone();
        for _ in 0..4 {
            whole.step();
        }
        restored.load_record(whole.to_record());
        assert_eq!(whole.step(), restored.step());
    }

    #[test]
    fn an_extension_stretches_the_later_epochs_only() {
        let mut longer = schedule(ScheduleKind::Linear, 0.0);
        let shorter = longer.clone();
        longer.config.extensions = vec![Extension {
            after_epoch: 2,
            epochs: 4,
        }];
        for step in 0..10 {
            assert_eq!(longer.learning_rate(step), shorter.learning_rate(step));
        }
        assert!((longer.learning_rate(10) - 0.1 * 9.0 / 19.0).abs() < 1e-12);
        assert!(longer.learning_rate(19).abs() < 1e-15);
    }
}
