package dev.edgekit.sample.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.width
import androidx.compose.foundation.selection.selectableGroup
import androidx.compose.material3.Button
import androidx.compose.material3.FilterChip
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.Icon
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.DisposableEffect
import androidx.compose.runtime.getValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.LocalView
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import dev.edgekit.core.BenchmarkPlan
import dev.edgekit.core.BenchmarkProgress
import dev.edgekit.core.BenchmarkReport
import dev.edgekit.core.BenchmarkStep
import dev.edgekit.core.Spread
import dev.edgekit.sample.R

/** What the benchmark screen asks for. */
data class BenchmarkActions(
    val choose: (BenchmarkPlan) -> Unit,
    val start: () -> Unit,
    val cancel: () -> Unit,
    val share: (BenchmarkReport, ExportFormat) -> Unit,
)

@Composable
fun BenchmarkRoute(task: String, onBack: (() -> Unit)?, viewModel: BenchmarkViewModel = viewModelOf(task)) {
    val state by viewModel.state.collectAsStateWithLifecycle()
    val context = LocalContext.current
    val actions = BenchmarkActions(viewModel::choose, viewModel::start, viewModel::cancel) { result, format ->
        shareResult(context, result, format)
    }
    KeepScreenOn(state.running)
    BenchmarkScreen(state, actions, onBack)
}

/** A phone that goes dark slows down, or stops, in the middle. */
@Composable
private fun KeepScreenOn(on: Boolean) {
    val view = LocalView.current
    DisposableEffect(on) {
        view.keepScreenOn = on
        onDispose { view.keepScreenOn = false }
    }
}

@Composable
fun BenchmarkScreen(state: BenchmarkUiState, actions: BenchmarkActions, onBack: (() -> Unit)? = {}) =
    Frame(stringResource(R.string.benchmark), onBack) { padding ->
        ScrollingColumn(padding) {
            Text(stringResource(R.string.benchmark_hint), color = MaterialTheme.colorScheme.onSurfaceVariant)
            Plan(state, actions.choose)
            val progress = state.progress
            when {
                progress != null -> Progress(progress, state.plan, state.ending, actions.cancel)
                state.taken -> Text(stringResource(R.string.model_is_lent))
                else -> Button(actions.start) { Text(stringResource(R.string.start_benchmark)) }
            }
            state.failure?.let {
                val what = explain(it)
                Text("${what.title}. ${what.remedy}", color = MaterialTheme.colorScheme.error)
            }
            if (progress == null && state.result != null) Results(state.result, actions.share)
        }
    }

/** Prompt and output lengths: short for a first look, then those of the AI Edge Gallery and of llama-bench. */
private val LENGTHS = listOf(SHORT, 256 to 256, 512 to 128)
private val RUNS = listOf(1, 3, 5, 10)

@Composable
private fun Plan(state: BenchmarkUiState, choose: (BenchmarkPlan) -> Unit) = Section(null) {
    val plan = state.plan
    Choice(
        stringResource(R.string.lengths),
        LENGTHS.filter { (prefill, decode) -> prefill + decode <= state.contextTokens },
        selected = plan.prefill to plan.decode,
        enabled = !state.running,
        label = { (prefill, decode) -> stringResource(R.string.length_pair, number(prefill), number(decode)) },
    ) { (prefill, decode) -> choose(plan.copy(prefill = prefill, decode = decode)) }
    Choice(
        stringResource(R.string.runs),
        RUNS,
        selected = plan.runs,
        enabled = !state.running,
        label = { number(it) },
    ) { choose(plan.copy(runs = it)) }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun <T> Choice(
    title: String,
    values: List<T>,
    selected: T,
    enabled: Boolean,
    label: @Composable (T) -> String,
    onChoose: (T) -> Unit,
) = Column {
    Heading(title)
    FlowRow(Modifier.selectableGroup(), Arrangement.spacedBy(8.dp), Arrangement.spacedBy(4.dp)) {
        values.forEach { value ->
            FilterChip(value == selected, { onChoose(value) }, label = { Text(label(value)) }, Modifier.heightIn(min = 40.dp), enabled)
        }
    }
}

@Composable
private fun Progress(progress: BenchmarkProgress, plan: BenchmarkPlan, ending: Boolean, cancel: () -> Unit) = Section(null) {
    LinearProgressIndicator({ progress.done.toFloat() / progress.of }, Modifier.fillMaxWidth())
    Text(
        if (ending) stringResource(R.string.ending) else stepName(progress, plan),
        Modifier.semantics { liveRegion = LiveRegionMode.Polite },
    )
    OutlinedButton(cancel, enabled = !ending) { Text(stringResource(R.string.cancel)) }
}

@Composable
private fun stepName(progress: BenchmarkProgress, plan: BenchmarkPlan): String = when (progress.step) {
    BenchmarkStep.COLD_START -> stringResource(R.string.step_cold)
    BenchmarkStep.WARM_START -> stringResource(R.string.step_warm)
    BenchmarkStep.WARM_UP -> stringResource(R.string.step_warm_up)
    BenchmarkStep.SWITCH -> stringResource(R.string.step_switch)
    BenchmarkStep.RUN ->
        stringResource(R.string.step_run, number(progress.done - (plan.steps - plan.runs) + 1), number(plan.runs))
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Results(result: BenchmarkReport, share: (BenchmarkReport, ExportFormat) -> Unit) = Column(
    Modifier.testTag("results"),
    verticalArrangement = Arrangement.spacedBy(16.dp),
) {
    Section(pluralStringResource(R.plurals.results_of, result.plan.runs, number(result.plan.runs), backendName(result.backend))) {
        Measured(stringResource(R.string.time_to_first_token), result.timeToFirstToken, { seconds(it) }, { seconds(it) })
        HorizontalDivider()
        Measured(stringResource(R.string.prefill_speed), result.prefillSpeed, { speed(it) }, { number(it, speedDecimals(it)) })
        HorizontalDivider()
        Measured(stringResource(R.string.decode_speed), result.decodeSpeed, { speed(it) }, { number(it, speedDecimals(it)) })
    }
    result.switchTime?.let { switches ->
        Section(stringResource(R.string.switching)) {
            Measured(stringResource(R.string.switch_time), switches, { seconds(it) }, { seconds(it) })
            Text(
                stringResource(R.string.switching_hint),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                style = MaterialTheme.typography.bodySmall,
            )
        }
    }
    Section(stringResource(R.string.start_and_memory)) {
        Figure(stringResource(R.string.cold_start), seconds(result.coldStart))
        Figure(stringResource(R.string.warm_start), seconds(result.warmStart))
        val peak = if (result.isOwnPeak) R.string.peak_memory else R.string.peak_memory_of_app
        result.peakMemory?.let { Figure(stringResource(peak), bytes(it)) }
    }
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp), verticalArrangement = Arrangement.spacedBy(8.dp)) {
        ShareButton(stringResource(R.string.share_json)) { share(result, ExportFormat.JSON) }
        ShareButton(stringResource(R.string.share_csv)) { share(result, ExportFormat.CSV) }
    }
    Text(
        stringResource(R.string.import_hint),
        color = MaterialTheme.colorScheme.onSurfaceVariant,
        style = MaterialTheme.typography.bodySmall,
    )
}

@Composable
private fun ShareButton(text: String, onClick: () -> Unit) = OutlinedButton(onClick) {
    Icon(painterResource(R.drawable.ic_share), null, Modifier.size(18.dp))
    Spacer(Modifier.width(8.dp))
    Text(text)
}

/** A figure of all runs: the median in large, the span below it in short, and every run as a bar. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Measured(
    name: String,
    spread: Spread,
    format: @Composable (Double) -> String,
    short: @Composable (Double) -> String,
) = Column(
    Modifier.fillMaxWidth().semantics(mergeDescendants = true) {},
    verticalArrangement = Arrangement.spacedBy(4.dp),
) {
    Text(name, color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.labelLarge)
    FlowRow(Modifier.fillMaxWidth(), Arrangement.SpaceBetween, Arrangement.spacedBy(8.dp)) {
        Column(Modifier.padding(end = 16.dp)) {
            Text(format(spread.median), style = MaterialTheme.typography.headlineSmall)
            Text(
                stringResource(R.string.minimum_maximum, short(spread.minimum), short(spread.maximum)),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                style = MaterialTheme.typography.bodySmall,
            )
        }
        RunChart(spread)
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
fun Figure(name: String, value: String) = FlowRow(
    Modifier.fillMaxWidth().semantics(mergeDescendants = true) {},
    Arrangement.SpaceBetween,
) {
    Text(name, Modifier.padding(end = 16.dp), color = MaterialTheme.colorScheme.onSurfaceVariant)
    Text(value)
}
