package dev.edgekit.sample.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.width
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.Button
import androidx.compose.material3.Card
import androidx.compose.material3.CardDefaults
import androidx.compose.material3.HorizontalDivider
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.unit.dp
import dev.edgekit.sample.R
import dev.edgekit.sample.engine.StopReason
import dev.edgekit.sample.engine.TurnStats
import dev.edgekit.sample.tasks.Answer
import dev.edgekit.sample.tasks.Ending
import dev.edgekit.sample.tasks.Field

/** An answer and how it ended. The latest is read aloud once it is whole: not again for each of its tokens. */
@Composable
fun AnswerView(turn: ShownTurn, isLatest: Boolean, onAction: (String) -> Unit, calls: ((Int) -> CallActions)? = null) = Column(
    Modifier.fillMaxWidth().padding(end = 24.dp).semantics { if (isLatest && turn.ending != null) liveRegion = LiveRegionMode.Polite },
    verticalArrangement = Arrangement.spacedBy(4.dp),
) {
    when (val answer = turn.answer) {
        is Answer.Card -> AnswerCard(answer, onAction)
        is Answer.Calls -> {
            if (answer.text.isNotEmpty()) Words(answer.text, isWaiting = false, FontFamily.Default)
            answer.asked.forEachIndexed { index, asked -> CallCard(asked, calls?.invoke(index)) }
        }
        is Answer.Garbled -> GarbledCall(answer.text, answer.problem)
        is Answer.Label -> Label(answer.text)
        is Answer.Plain -> Words(answer.text, isWaiting = turn.ending == null, FontFamily.Default)
        is Answer.Unfinished -> Words(answer.text, isWaiting = turn.ending == null, FontFamily.Monospace)
    }
    when (val ending = turn.ending) {
        null -> Unit
        is Ending.Finished -> Figures(ending.stats)
        is Ending.Stopped -> Note(stringResource(R.string.stopped))
        is Ending.Failed -> {
            val what = explain(ending.failure)
            Note("${what.title}. ${what.remedy}", isError = true)
        }
    }
}

@Composable
private fun AnswerCard(card: Answer.Card, onAction: (String) -> Unit) = Card(
    Modifier.fillMaxWidth().testTag("answer card"),
    shape = MaterialTheme.shapes.large,
    colors = CardDefaults.cardColors(containerColor = MaterialTheme.colorScheme.surfaceContainerHigh),
) {
    Column(Modifier.padding(16.dp)) {
        card.fields.forEachIndexed { index, field ->
            if (index > 0) HorizontalDivider(color = MaterialTheme.colorScheme.outlineVariant)
            FieldRow(field)
        }
        card.action?.let { action ->
            Button({ onAction(action.intent) }, Modifier.padding(top = 12.dp)) {
                Icon(painterResource(R.drawable.ic_open), null, Modifier.size(18.dp))
                Spacer(Modifier.width(8.dp))
                Text(stringResource(R.string.open_settings_page))
            }
        }
    }
}

/** Name and value side by side, or below each other when they are long or large. */
@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun FieldRow(field: Field) = FlowRow(
    Modifier.fillMaxWidth().padding(start = (16 * field.depth).dp, top = 10.dp, bottom = 10.dp)
        .semantics(mergeDescendants = true) { if (field.value == null) heading() },
    horizontalArrangement = Arrangement.SpaceBetween,
) {
    Text(field.name, Modifier.padding(end = 16.dp), color = MaterialTheme.colorScheme.onSurfaceVariant)
    if (field.value != null) Text(field.value, fontWeight = FontWeight.SemiBold)
}

@Composable
private fun Label(text: String) = Surface(
    Modifier.testTag("answer label"),
    shape = MaterialTheme.shapes.large,
    color = MaterialTheme.colorScheme.tertiaryContainer,
) {
    Text(text, Modifier.padding(horizontal = 20.dp, vertical = 14.dp), style = MaterialTheme.typography.titleLarge)
}

@Composable
private fun Words(text: String, isWaiting: Boolean, font: FontFamily) = Surface(
    shape = MaterialTheme.shapes.large,
    color = MaterialTheme.colorScheme.surfaceContainerHigh,
) {
    SelectionContainer(Modifier.padding(horizontal = 16.dp, vertical = 10.dp)) {
        Row {
            if (text.isEmpty() && isWaiting) Text(stringResource(R.string.thinking), color = MaterialTheme.colorScheme.onSurfaceVariant)
            else Text(text, Modifier.testTag("answer text"), fontFamily = font)
        }
    }
}

@Composable
private fun Figures(stats: TurnStats) {
    val figures = stringResource(R.string.turn_figures, seconds(stats.timeToFirstToken), speed(stats.decodeSpeed))
    val whole = if (stats.stopReason == StopReason.CONTEXT_FULL) "$figures · ${stringResource(R.string.context_full)}" else figures
    Note(whole, Modifier.testTag("figures"))
}

@Composable
private fun Note(text: String, modifier: Modifier = Modifier, isError: Boolean = false) = Text(
    text,
    modifier.padding(horizontal = 4.dp),
    color = if (isError) MaterialTheme.colorScheme.error else MaterialTheme.colorScheme.onSurfaceVariant,
    style = MaterialTheme.typography.bodySmall,
)
