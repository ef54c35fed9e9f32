package dev.edgekit.sample.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.unit.dp
import dev.edgekit.compose.AnswerView
import dev.edgekit.compose.CallActions
import dev.edgekit.compose.textOf
import dev.edgekit.core.Figures
import dev.edgekit.core.Finish
import dev.edgekit.sample.R
import dev.edgekit.sample.tasks.Ending

/**
 * An answer and how it ended. The latest is read aloud once it is whole: not again for each of its tokens.
 *
 * @param onEdit takes the prompt back to be changed
 */
@Composable
fun TurnView(
    turn: ShownTurn,
    isLatest: Boolean,
    onAction: (String) -> Unit,
    calls: ((Int) -> CallActions)? = null,
    onEdit: (String) -> Unit = {},
) = Column(
    Modifier.fillMaxWidth().padding(end = 24.dp).semantics { if (isLatest && turn.ending != null) liveRegion = LiveRegionMode.Polite },
    verticalArrangement = Arrangement.spacedBy(4.dp),
) {
    AnswerView(turn.answer, isWhole = turn.ending != null, { onAction(it.intent) }, AppPlan, calls)
    if (turn.ending != null) AnswerTools(turn, onEdit)
    when (val ending = turn.ending) {
        null -> Unit
        is Ending.Finished -> FiguresNote(ending.finish, ending.figures)
        is Ending.Stopped -> Note(stringResource(R.string.stopped))
        is Ending.Failed -> {
            val what = explain(ending.failure)
            Note("${what.title}. ${what.remedy}", isError = true)
        }
    }
}

/** What can be done with an answer, and with the prompt that it answers. */
@Composable
private fun AnswerTools(turn: ShownTurn, onEdit: (String) -> Unit) = Row(Modifier.testTag("answer tools")) {
    val context = LocalContext.current
    val text = textOf(turn.answer)
    if (text.isNotBlank()) {
        IconAction(R.drawable.ic_copy, R.string.copy, { copyText(context, text) })
        IconAction(R.drawable.ic_share, R.string.share_answer, { shareText(context, text) })
    }
    turn.prompt?.let { prompt -> IconAction(R.drawable.ic_edit, R.string.edit_prompt, { onEdit(prompt) }) }
}

@Composable
private fun FiguresNote(finish: Finish, figures: Figures) {
    val isFull = finish == Finish.CONTEXT_FULL
    if (!LocalDeveloperMode.current) {
        if (isFull) Note(stringResource(R.string.context_is_full))
        return
    }
    val short = stringResource(R.string.turn_figures, seconds(figures.timeToFirstToken), speed(figures.decodeSpeed))
    val whole = if (isFull) "$short · ${stringResource(R.string.context_full)}" else short
    Note(whole, Modifier.testTag("figures"))
}

@Composable
private fun Note(text: String, modifier: Modifier = Modifier, isError: Boolean = false) = Text(
    text,
    modifier.padding(horizontal = 4.dp),
    color = if (isError) MaterialTheme.colorScheme.error else MaterialTheme.colorScheme.onSurfaceVariant,
    style = MaterialTheme.typography.bodySmall,
)
