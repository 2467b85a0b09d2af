//! All runs of a study in one file: what is the same on every repetition, apart from what is not.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::id::RunId;
use crate::plan::{Plan, RunSpec};
use crate::record::{Environment, RunRecord, Times, VERSION};
use crate::records::Records;

/// Contents of `NAME.results.json`: the planned runs in their order, each with the name of the run that
/// answers it, and those runs without times and machines. Runs that belong to no planned one are left
/// out.
#[derive(Serialize)]
pub(crate) struct Results {
    version: u32,
    planned: Vec<Planned>,
    runs: BTreeMap<RunId, RunRecord>,
}

#[derive(Serialize)]
struct Planned {
    #[serde(flatten)]
    spec: RunSpec,
    /// `None` if it is not done.
    run: Option<RunId>,
}

/// What a run took.
#[derive(Serialize)]
pub(crate) struct RunTimes {
    environment: Option<Environment>,
    times: Option<Times>,
}

impl Results {
    pub(crate) fn new(plan: &Plan, records: &Records) -> Self {
        let mut runs = BTreeMap::new();
        let mut planned = Vec::new();
        for spec in plan.known(records) {
            let run = records.answering(&spec);
            if let Some(run) = run {
                runs.entry(run.id.clone()).or_insert_with(|| RunRecord {
                    // Which of several planned runs came first depends on who was faster.
                    specs: Vec::new(),
                    environment: None,
                    times: None,
                    ..run.clone()
                });
            }
            planned.push(Planned {
                run: run.map(|run| run.id.clone()),
                spec,
            });
        }
        Self {
            version: VERSION,
            planned,
            runs,
        }
    }
}

/// Contents of `NAME.times.json`, by run.
pub(crate) fn times(plan: &Plan, records: &Records) -> BTreeMap<RunId, RunTimes> {
    plan.known(records)
        .iter()
        .filter_map(|spec| records.answering(spec))
        .map(|run| {
            let times = RunTimes {
                environment: run.environment.clone(),
                times: run.times.clone(),
            };
            (run.id.clone(), times)
        })
        .collect()
}
