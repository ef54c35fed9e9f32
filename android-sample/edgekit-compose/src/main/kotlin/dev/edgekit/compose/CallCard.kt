package dev.edgekit.compose

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.Button
import androidx.compose.material3.Card
import androidx.compose.material3.CardDefaults
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.saveable.mapSaver
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.unit.dp
import dev.edgekit.core.answers.readable
import dev.edgekit.core.calls.Asked
import dev.edgekit.core.calls.Call
import dev.edgekit.core.calls.Filled
import dev.edgekit.core.calls.Outcome

/**
 * What a card of a call asks for.
 *
 * @property carryOut does it, with the arguments as they are edited
 * @property skip leaves it
 */
public class CallActions(public val carryOut: (Call) -> Unit, public val skip: (Call) -> Unit)

/** What an app makes of the calls of its model. */
public interface CallPlan {
    /** Whether the app does anything for a tool of this name. */
    public fun canDo(tool: String): Boolean

    /** What it would do for a call; null when it can do nothing with these arguments. */
    @Composable
    public fun deedFor(call: Call): CallDeed?
}

/**
 * What a call comes to.
 *
 * @property title in the user's words
 * @property opensApp another app goes on with it
 */
public data class CallDeed(val title: String, val opensApp: Boolean)

/** Of an app that only shows what its model asks for. */
public object NoPlan : CallPlan {
    override fun canDo(tool: String): Boolean = false

    @Composable
    override fun deedFor(call: Call): CallDeed? = null
}

/** A call with its arguments to be looked at, changed, and carried out. [actions] are null when it is too late for that. */
@Composable
public fun CallCard(asked: Asked, plan: CallPlan, actions: CallActions?) {
    val filled = asked.filled
    if (filled == null) UnknownCall(asked.call) else KnownCall(filled, asked.settled?.outcome, plan, actions)
}

@Composable
private fun KnownCall(asked: Filled, outcome: Outcome?, plan: CallPlan, actions: CallActions?) {
    var edits by rememberSaveable(stateSaver = EditsSaver) { mutableStateOf(emptyMap<String, String>()) }
    val filled = if (outcome == null) edits.entries.fold(asked) { call, (name, text) -> call.with(name, text) } else asked
    val deed = if (filled.isReady) plan.deedFor(filled.call()) else null
    CallFrame(deed?.title ?: readable(filled.tool.name)) {
        filled.slots.forEach { slot ->
            SlotField(slot, enabled = outcome == null && actions != null) { edits = edits + (slot.parameter.name to it) }
        }
        if (filled.extra.isNotEmpty()) Remark(stringResource(R.string.edgekit_call_extra, filled.extra.joinToString()), isError = true)
        when {
            outcome != null -> OutcomeLine(outcome)
            actions == null -> Remark(stringResource(R.string.edgekit_call_left))
            else -> Choice(filled, plan.canDo(filled.tool.name), deed, actions)
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Choice(filled: Filled, canBeDone: Boolean, deed: CallDeed?, actions: CallActions) {
    if (!canBeDone) Remark(stringResource(R.string.edgekit_call_no_deed), isError = true)
    else if (filled.isReady && deed == null) Remark(stringResource(R.string.edgekit_call_incomplete), isError = true)
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        if (canBeDone) {
            Button({ actions.carryOut(filled.call()) }, Modifier.testTag("carry out"), enabled = deed != null) {
                Text(stringResource(if (deed?.opensApp == true) R.string.edgekit_call_open else R.string.edgekit_call_do))
            }
        }
        OutlinedButton({ actions.skip(filled.call()) }) { Text(stringResource(R.string.edgekit_call_skip)) }
    }
}

@Composable
private fun UnknownCall(call: Call) = CallFrame(readable(call.name)) {
    call.arguments.forEach { (name, value) -> Remark("${readable(name)}: $value") }
    Remark(stringResource(R.string.edgekit_call_unknown), isError = true)
}

/** What the model said instead, for those who read its language. */
@Composable
internal fun GarbledCall(text: String, problem: String) = CallFrame(stringResource(R.string.edgekit_call_garbled)) {
    SelectionContainer { Text(text, fontFamily = FontFamily.Monospace, style = MaterialTheme.typography.bodySmall) }
    Remark(problem, isError = true)
}

@Composable
private fun CallFrame(title: String, content: @Composable () -> Unit) = Card(
    Modifier.fillMaxWidth().testTag("call card"),
    shape = MaterialTheme.shapes.large,
    colors = CardDefaults.cardColors(containerColor = MaterialTheme.colorScheme.surfaceContainerHigh),
) {
    Column(Modifier.padding(16.dp), verticalArrangement = Arrangement.spacedBy(12.dp)) {
        Text(title, Modifier.semantics { heading() }, style = MaterialTheme.typography.titleMedium)
        content()
    }
}

@Composable
private fun OutcomeLine(outcome: Outcome) = Remark(
    stringResource(
        when (outcome) {
            Outcome.DONE -> R.string.edgekit_call_done
            Outcome.HANDED_OVER -> R.string.edgekit_call_handed_over
            Outcome.SKIPPED -> R.string.edgekit_call_skipped
            Outcome.NO_APP -> R.string.edgekit_call_no_app
            Outcome.UNAVAILABLE -> R.string.edgekit_call_unavailable
            Outcome.FORBIDDEN -> R.string.edgekit_call_forbidden
        },
    ),
    Modifier.testTag("outcome"),
    isError = outcome in listOf(Outcome.NO_APP, Outcome.UNAVAILABLE, Outcome.FORBIDDEN),
)

@Composable
private fun Remark(text: String, modifier: Modifier = Modifier, isError: Boolean = false) = Text(
    text,
    modifier,
    color = if (isError) MaterialTheme.colorScheme.error else MaterialTheme.colorScheme.onSurfaceVariant,
    style = MaterialTheme.typography.bodyMedium,
)

private val EditsSaver = mapSaver<Map<String, String>>(
    save = { it },
    restore = { saved -> saved.mapValues { it.value as String } },
)
