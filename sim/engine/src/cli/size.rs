//! How large drawn runs are and what may go wrong in them, as flags: for a sweep, and for the processes that prove it.

use anyhow::anyhow;
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use reports::Span;

use crate::fault::{AnyFault, FaultType};
use crate::model::Model;
use crate::options::Options;

/// How large a run is and what may go wrong in it.
#[derive(Debug, Clone, Args)]
pub struct RunSize<F: FaultType> {
    /// Clients in each run, where the model draws them [default: 4]
    #[arg(long, value_name = "N", alias = "people")]
    clients: Option<usize>,
    /// Simulated time of each run, where the model draws it [default: 10s]
    #[arg(long, value_name = "SPAN")]
    simulated: Option<Span>,
    /// Only this kind of fault, repeatable [default: all]
    #[arg(long = "fault", value_name = "NAME", value_parser = fault::<F>(), hide_possible_values = true,
        long_help = fault_help::<F>())]
    faults: Vec<AnyFault<F>>,
}

fn names<F: FaultType>() -> Vec<&'static str> {
    AnyFault::<F>::all().into_iter().map(AnyFault::name).collect()
}

/// Reads a name, which can suggest the one that was meant, and complete it.
fn fault<F: FaultType>() -> impl TypedValueParser<Value = AnyFault<F>> {
    PossibleValuesParser::new(names::<F>()).try_map(|name| name.parse())
}

fn fault_help<F: FaultType>() -> String {
    format!("Only this kind of fault, repeatable [default: all]: {}", names::<F>().join(", "))
}

impl<F: FaultType> RunSize<F> {
    /// What these flags ask a model for.
    ///
    /// # Errors
    ///
    /// The model cannot draw runs of this size, or suffer none of these faults.
    pub fn options<M: Model<Fault = F>>(&self, model: &M) -> anyhow::Result<Options<F>> {
        let mut options = model.usual_options();
        if let Some(Span(simulated)) = self.simulated {
            options.simulated_ms = simulated.as_millis().try_into().unwrap_or(u64::MAX);
        }
        options.clients = self.clients.unwrap_or(options.clients);
        model.check_size(&options).map_err(|why| anyhow!(why))?;
        if !self.faults.is_empty() {
            options.faults.retain(|kind| self.faults.contains(kind));
            if let Some(kind) = self.faults.iter().find(|kind| !options.faults.contains(kind)) {
                return Err(anyhow!("--fault {kind}: {} cannot suffer it", model.name()));
            }
        }
        Ok(options)
    }

    /// The same as arguments of another process.
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut add = |flag: &str, value: String| arguments.extend([flag.to_owned(), value]);
        self.clients.into_iter().for_each(|clients| add("--clients", clients.to_string()));
        self.simulated.into_iter().for_each(|span| add("--simulated", span.to_string()));
        self.faults.iter().for_each(|fault| add("--fault", fault.to_string()));
        arguments
    }
}
