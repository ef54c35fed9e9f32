package dev.edgekit.compose

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
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.font.FontWeight
import androidx.compose.ui.unit.dp
import dev.edgekit.core.answers.Action
import dev.edgekit.core.answers.Answer
import dev.edgekit.core.answers.Field

/**
 * An answer, as far as it has come: a card of fields, a label, calls, or words.
 *
 * @param isWhole nothing more comes
 * @param onAction for a tap on the button of a card
 * @param plan what the app makes of calls
 * @param calls what the card of a call asks for, by the call's place in the answer; null when it is too late for that
 */
@Composable
public fun AnswerView(
    answer: Answer,
    isWhole: Boolean,
    onAction: (Action) -> Unit,
    plan: CallPlan = NoPlan,
    calls: ((Int) -> CallActions)? = null,
): Unit = when (answer) {
    is Answer.Card -> AnswerCard(answer, onAction)
    is Answer.Calls -> Column(verticalArrangement = Arrangement.spacedBy(4.dp)) {
        if (answer.text.isNotEmpty()) Words(answer.text, isWaiting = false, FontFamily.Default)
        answer.asked.forEachIndexed { index, asked -> CallCard(asked, plan, calls?.invoke(index)) }
    }
    is Answer.Garbled -> GarbledCall(answer.text, answer.problem)
    is Answer.Label -> Label(answer.text)
    is Answer.Plain -> Words(answer.text, isWaiting = !isWhole, FontFamily.Default)
    is Answer.Unfinished -> Words(answer.text, isWaiting = !isWhole, FontFamily.Monospace)
}

@Composable
private fun AnswerCard(card: Answer.Card, onAction: (Action) -> Unit) = Card(
    Modifier.fillMaxWidth().testTag("answer card"),
    shape = MaterialTheme.shapes.large,
    colors = CardDefaults.cardColors(containerColor = MaterialTheme.colorScheme.surfaceContainerHigh),
) {
    Column(Modifier.padding(16.dp)) {
        card.sentence?.let {
            Text(
                it,
                Modifier.padding(bottom = 8.dp).testTag("answer sentence").semantics { heading() },
                style = MaterialTheme.typography.titleLarge,
            )
        }
        card.fields.forEachIndexed { index, field ->
            if (index > 0) HorizontalDivider(color = MaterialTheme.colorScheme.outlineVariant)
            FieldRow(field)
        }
        card.action?.let { action ->
            Button({ onAction(action) }, Modifier.padding(top = 12.dp)) {
                Icon(painterResource(R.drawable.edgekit_open), null, Modifier.size(18.dp))
                Spacer(Modifier.width(8.dp))
                Text(stringResource(R.string.edgekit_open_settings_page))
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
    when (val value = field.value) {
        null -> Unit
        else -> if (value.isEmpty() && field.isComing) Placeholder() else Text(value, fontWeight = FontWeight.SemiBold)
    }
}

/** Where a value will stand: as high as one, so that nothing moves when it comes. */
@Composable
private fun Placeholder() = Text(
    stringResource(R.string.edgekit_thinking),
    color = MaterialTheme.colorScheme.outline,
    fontWeight = FontWeight.SemiBold,
)

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
            if (text.isEmpty() && isWaiting) Text(stringResource(R.string.edgekit_thinking), color = MaterialTheme.colorScheme.onSurfaceVariant)
            else Text(text, Modifier.testTag("answer text"), fontFamily = font)
        }
    }
}
