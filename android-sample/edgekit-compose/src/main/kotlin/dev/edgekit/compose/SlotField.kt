package dev.edgekit.compose

import android.app.DatePickerDialog
import android.app.TimePickerDialog
import android.content.Context
import android.text.format.DateFormat
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.selection.toggleable
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.material3.FilterChip
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.text.input.KeyboardType
import androidx.compose.ui.unit.dp
import dev.edgekit.core.answers.readable
import dev.edgekit.core.calls.ParameterKind
import dev.edgekit.core.calls.Slot
import dev.edgekit.core.calls.SlotProblem
import dev.edgekit.core.calls.isoOf
import dev.edgekit.core.calls.momentOf
import java.time.LocalDateTime

/** An argument to be edited as its type is. */
@Composable
public fun SlotField(slot: Slot, enabled: Boolean, onEdit: (String) -> Unit): Unit = when (val kind = slot.parameter.kind) {
    ParameterKind.Text, ParameterKind.Json -> Line(slot, enabled, KeyboardType.Text, onEdit)
    is ParameterKind.Number -> Line(slot, enabled, if (kind.whole) KeyboardType.Number else KeyboardType.Decimal, onEdit)
    ParameterKind.Flag -> Toggle(slot, enabled, onEdit)
    is ParameterKind.Choice -> Labelled(slot) { Chips(kind.values, slot.text, enabled, onEdit) }
    ParameterKind.DateTime -> Labelled(slot) { Moment(slot, enabled, onEdit) }
}

@Composable
private fun Line(slot: Slot, enabled: Boolean, keyboard: KeyboardType, onEdit: (String) -> Unit) = OutlinedTextField(
    slot.text,
    onEdit,
    Modifier.fillMaxWidth(),
    readOnly = !enabled,
    label = { Text(readable(slot.parameter.name)) },
    isError = slot.problem != null,
    supportingText = slot.problem?.let { problem -> { Text(words(problem)) } },
    keyboardOptions = KeyboardOptions(keyboardType = keyboard),
    maxLines = 5,
)

@Composable
private fun Toggle(slot: Slot, enabled: Boolean, onEdit: (String) -> Unit) = Column {
    val isOn = slot.text == "true"
    Row(
        Modifier.fillMaxWidth().toggleable(isOn, enabled, Role.Switch) { onEdit(it.toString()) },
        horizontalArrangement = Arrangement.SpaceBetween,
        verticalAlignment = Alignment.CenterVertically,
    ) {
        Text(readable(slot.parameter.name))
        Switch(isOn, onCheckedChange = null, enabled = enabled)
    }
    slot.problem?.let { Problem(it) }
}

@Composable
private fun Labelled(slot: Slot, content: @Composable () -> Unit) = Column {
    Text(
        readable(slot.parameter.name),
        color = MaterialTheme.colorScheme.onSurfaceVariant,
        style = MaterialTheme.typography.labelMedium,
    )
    content()
    slot.problem?.let { Problem(it) }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Chips(values: List<String>, chosen: String, enabled: Boolean, onEdit: (String) -> Unit) =
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        values.forEach { FilterChip(it == chosen, { onEdit(it) }, { Text(readable(it)) }, enabled = enabled) }
    }

/** The day and the time, each on a button that lets choose another; what cannot be read stands above them. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Moment(slot: Slot, enabled: Boolean, onEdit: (String) -> Unit) {
    val context = LocalContext.current
    val moment = momentOf(slot.text)
    if (moment == null && slot.text.isNotBlank()) Text(slot.text)
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        OutlinedButton({ pickDay(context, moment ?: soon()) { onEdit(isoOf(it)) } }, enabled = enabled) {
            Text(moment?.let { day(it) } ?: stringResource(R.string.edgekit_slot_day))
        }
        OutlinedButton({ pickTime(context, moment ?: soon()) { onEdit(isoOf(it)) } }, enabled = enabled) {
            Text(moment?.let { timeOfDay(it) } ?: stringResource(R.string.edgekit_slot_time))
        }
    }
}

private fun soon(): LocalDateTime = LocalDateTime.now().plusHours(1).withMinute(0).withSecond(0).withNano(0)

/** The system's own dialogs: they speak every language and cost nothing. */
private fun pickDay(context: Context, from: LocalDateTime, onPick: (LocalDateTime) -> Unit) = DatePickerDialog(
    context,
    { _, year, month, day -> onPick(from.withDayOfMonth(1).withYear(year).withMonth(month + 1).withDayOfMonth(day)) },
    from.year,
    from.monthValue - 1,
    from.dayOfMonth,
).show()

private fun pickTime(context: Context, from: LocalDateTime, onPick: (LocalDateTime) -> Unit) = TimePickerDialog(
    context,
    { _, hour, minute -> onPick(from.withHour(hour).withMinute(minute).withSecond(0)) },
    from.hour,
    from.minute,
    DateFormat.is24HourFormat(context),
).show()

@Composable
private fun Problem(problem: SlotProblem) =
    Text(words(problem), color = MaterialTheme.colorScheme.error, style = MaterialTheme.typography.bodySmall)

@Composable
private fun words(problem: SlotProblem): String = stringResource(
    when (problem) {
        SlotProblem.MISSING -> R.string.edgekit_slot_missing
        SlotProblem.NO_NUMBER -> R.string.edgekit_slot_no_number
        SlotProblem.OUT_OF_RANGE -> R.string.edgekit_slot_out_of_range
        SlotProblem.NO_CHOICE -> R.string.edgekit_slot_no_choice
        SlotProblem.NO_DATE -> R.string.edgekit_slot_no_date
        SlotProblem.NO_JSON -> R.string.edgekit_slot_no_json
    },
)
