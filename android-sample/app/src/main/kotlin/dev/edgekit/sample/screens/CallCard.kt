package dev.edgekit.sample.screens

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
import dev.edgekit.sample.R
import dev.edgekit.sample.calls.Asked
import dev.edgekit.sample.calls.CARRIED_OUT
import dev.edgekit.sample.calls.Call
import dev.edgekit.sample.calls.Deed
import dev.edgekit.sample.calls.Filled
import dev.edgekit.sample.calls.Outcome
import dev.edgekit.sample.calls.deedOf
import dev.edgekit.sample.tasks.readable

/**
 * What a card of a call asks for.
 *
 * @property carryOut does it, with the arguments as they are edited
 * @property skip leaves it
 */
data class CallActions(val carryOut: (Call, Deed) -> Unit, val skip: (Call) -> Unit)

/** A call with its arguments to be looked at, changed, and carried out. [actions] are null when it is too late for that. */
@Composable
fun CallCard(asked: Asked, actions: CallActions?) {
    val filled = asked.filled
    if (filled == null) UnknownCall(asked.call) else KnownCall(filled, asked.settled?.outcome, actions)
}

@Composable
private fun KnownCall(asked: Filled, outcome: Outcome?, actions: CallActions?) {
    var edits by rememberSaveable(stateSaver = EditsSaver) { mutableStateOf(emptyMap<String, String>()) }
    val filled = if (outcome == null) edits.entries.fold(asked) { call, (name, text) -> call.with(name, text) } else asked
    val deed = if (filled.isReady) deedOf(filled.call()) else null
    CallFrame(title(filled, deed)) {
        filled.slots.forEach { slot ->
            SlotField(slot, enabled = outcome == null && actions != null) { edits = edits + (slot.parameter.name to it) }
        }
        if (filled.extra.isNotEmpty()) Remark(stringResource(R.string.call_extra, filled.extra.joinToString()), isError = true)
        when {
            outcome != null -> OutcomeLine(outcome)
            actions == null -> Remark(stringResource(R.string.call_left))
            else -> Choice(filled, deed, actions)
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Choice(filled: Filled, deed: Deed?, actions: CallActions) {
    val canBeDone = filled.tool.name in CARRIED_OUT
    if (!canBeDone) Remark(stringResource(R.string.call_no_deed), isError = true)
    else if (filled.isReady && deed == null) Remark(stringResource(R.string.call_incomplete), isError = true)
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        if (canBeDone) {
            Button({ deed?.let { actions.carryOut(filled.call(), it) } }, Modifier.testTag("carry out"), enabled = deed != null) {
                Text(stringResource(if (deed is Deed.HandedOver) R.string.call_open else R.string.call_do))
            }
        }
        OutlinedButton({ actions.skip(filled.call()) }) { Text(stringResource(R.string.call_skip)) }
    }
}

@Composable
private fun UnknownCall(call: Call) = CallFrame(readable(call.name)) {
    call.arguments.forEach { (name, value) -> Remark("${readable(name)}: $value") }
    Remark(stringResource(R.string.call_unknown), isError = true)
}

/** What the model said instead, for those who read its language. */
@Composable
fun GarbledCall(text: String, problem: String) = CallFrame(stringResource(R.string.call_garbled)) {
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
            Outcome.DONE -> R.string.call_done
            Outcome.HANDED_OVER -> R.string.call_handed_over
            Outcome.SKIPPED -> R.string.call_skipped
            Outcome.NO_APP -> R.string.call_no_app
            Outcome.UNAVAILABLE -> R.string.call_unavailable
            Outcome.FORBIDDEN -> R.string.call_forbidden
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

/** What the call comes to, in the user's language where the app knows what it does. */
@Composable
private fun title(filled: Filled, deed: Deed?): String = when (deed) {
    null -> readable(filled.tool.name)
    is Deed.Torch -> stringResource(if (deed.on) R.string.deed_torch_on else R.string.deed_torch_off)
    is Deed.Volume -> stringResource(R.string.deed_volume, number(deed.percent))
    Deed.WifiSettings -> stringResource(R.string.deed_wifi)
    is Deed.Contact -> stringResource(R.string.deed_contact, deed.name.ifEmpty { deed.phone ?: deed.email.orEmpty() })
    is Deed.Email -> stringResource(R.string.deed_email, deed.to ?: deed.subject.orEmpty())
    is Deed.ShowOnMap -> stringResource(R.string.deed_map, deed.query)
    is Deed.Event -> stringResource(R.string.deed_event, deed.title)
    is Deed.Timer -> stringResource(R.string.deed_timer, span(deed.length))
}

private val EditsSaver = mapSaver<Map<String, String>>(
    save = { it },
    restore = { saved -> saved.mapValues { it.value as String } },
)
