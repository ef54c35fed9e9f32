package dev.edgekit.sample.screens

import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.calculateEndPadding
import androidx.compose.foundation.layout.calculateStartPadding
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.wrapContentSize
import androidx.compose.foundation.lazy.grid.GridCells
import androidx.compose.foundation.lazy.grid.GridItemSpan
import androidx.compose.foundation.lazy.grid.LazyVerticalGrid
import androidx.compose.foundation.lazy.grid.itemsIndexed
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.foundation.text.selection.SelectionContainer
import androidx.compose.material3.Card
import androidx.compose.material3.CardDefaults
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.Color
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.platform.LocalLayoutDirection
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.clearAndSetSemantics
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.font.FontFamily
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.Dp
import androidx.compose.ui.unit.dp
import dev.edgekit.core.ModelInfo
import dev.edgekit.core.TaskInfo
import dev.edgekit.sample.R

/**
 * What the home screen asks for.
 *
 * @property retry to make the adapters ready that were refused
 * @property openSettings null where they are in the rail
 */
data class HomeActions(val openTask: (id: String) -> Unit, val retry: () -> Unit, val openSettings: (() -> Unit)?)

/**
 * The tasks of an app that has several, as cards.
 *
 * @param incoming a text from another app, for the task that is chosen
 */
@Composable
fun HomeScreen(model: ModelInfo, incoming: String?, actions: HomeActions) = Frame(
    title = model.title,
    onBack = null,
    actions = { actions.openSettings?.let { IconAction(R.drawable.ic_settings, R.string.settings, it) } },
) { padding ->
    LazyVerticalGrid(
        GridCells.Adaptive(NarrowestCard),
        Modifier.fillMaxSize().testTag("tasks"),
        contentPadding = padding + CardMargin,
        verticalArrangement = Arrangement.spacedBy(16.dp),
        horizontalArrangement = Arrangement.spacedBy(16.dp),
    ) {
        if (incoming != null) {
            item(span = { GridItemSpan(maxLineSpan) }) {
                Text(stringResource(R.string.choose_task_for, incoming), Modifier.padding(8.dp), maxLines = 3, overflow = TextOverflow.Ellipsis)
            }
        }
        itemsIndexed(model.tasks, key = { _, task -> task.id }) { index, task ->
            val failure = task.failure
            if (failure == null) TaskCard(task, index) { actions.openTask(task.id) }
            else RefusedCard(task, explainOfAdapter(failure), actions.retry)
        }
        item(span = { GridItemSpan(maxLineSpan) }) {
            Text(
                stringResource(R.string.stays_here),
                Modifier.padding(8.dp),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                style = MaterialTheme.typography.bodySmall,
                textAlign = TextAlign.Center,
            )
        }
    }
}

private val NarrowestCard = 280.dp
private val CardMargin = 16.dp

@Composable
private operator fun PaddingValues.plus(margin: Dp): PaddingValues {
    val direction = LocalLayoutDirection.current
    return PaddingValues(
        calculateStartPadding(direction) + margin,
        calculateTopPadding() + margin / 2,
        calculateEndPadding(direction) + margin,
        calculateBottomPadding() + margin,
    )
}

@Composable
private fun TaskCard(task: TaskInfo, index: Int, onClick: () -> Unit) = Card(
    onClick,
    Modifier.fillMaxWidth(),
    shape = MaterialTheme.shapes.large,
    colors = CardDefaults.cardColors(containerColor = MaterialTheme.colorScheme.surfaceContainerHigh),
) {
    CardContent({ Monogram(task.title, index) }) {
        Text(task.title, style = MaterialTheme.typography.titleLarge)
        task.description?.let { Text(it, color = MaterialTheme.colorScheme.onSurfaceVariant) }
    }
}

/** A task whose adapter cannot be used, and why. */
@Composable
private fun RefusedCard(task: TaskInfo, why: Explanation, onRetry: () -> Unit) = Card(
    Modifier.fillMaxWidth().testTag("refused task"),
    shape = MaterialTheme.shapes.large,
    colors = CardDefaults.cardColors(containerColor = MaterialTheme.colorScheme.surfaceContainerLow),
) {
    val scheme = MaterialTheme.colorScheme
    CardContent({
        Badge(scheme.errorContainer) { Icon(painterResource(R.drawable.ic_failure), null, Modifier.padding(8.dp), tint = scheme.onErrorContainer) }
    }) {
        Text(task.title, Modifier.semantics { heading() }, style = MaterialTheme.typography.titleLarge)
        Text(why.title, color = MaterialTheme.colorScheme.error, style = MaterialTheme.typography.titleSmall)
        Text(why.remedy, color = MaterialTheme.colorScheme.onSurfaceVariant)
        why.detail?.let {
            SelectionContainer { Text(it, fontFamily = FontFamily.Monospace, style = MaterialTheme.typography.bodySmall) }
        }
        OutlinedButton(onRetry) { Text(stringResource(R.string.retry)) }
    }
}

@Composable
private fun CardContent(badge: @Composable () -> Unit, content: @Composable () -> Unit) = Row(
    Modifier.fillMaxWidth().padding(16.dp),
    horizontalArrangement = Arrangement.spacedBy(16.dp),
) {
    badge()
    Column(Modifier.weight(1f).align(Alignment.CenterVertically), verticalArrangement = Arrangement.spacedBy(4.dp)) { content() }
}

/** Tells a task apart from the others at a glance. */
@Composable
private fun Monogram(title: String, index: Int) {
    val scheme = MaterialTheme.colorScheme
    val (container, content) = listOf(
        scheme.primaryContainer to scheme.onPrimaryContainer,
        scheme.tertiaryContainer to scheme.onTertiaryContainer,
        scheme.secondaryContainer to scheme.onSecondaryContainer,
    ).let { it[index % it.size] }
    Badge(container) {
        Text(
            initials(title),
            Modifier.clearAndSetSemantics {}.wrapContentSize(),
            color = content,
            fontSize = with(LocalDensity.current) { 16.dp.toSp() },
            style = MaterialTheme.typography.titleMedium,
        )
    }
}

@Composable
private fun Badge(color: Color, content: @Composable () -> Unit) =
    Surface(Modifier.size(40.dp), CircleShape, color, content = content)

/** "ST" of "Support triage", "Se" of "Sentiment": a whole character each, also of those that take two units. */
internal fun initials(title: String): String {
    val words = title.split(' ').filter { it.firstOrNull()?.isLetterOrDigit() == true || it.firstOrNull()?.isSurrogate() == true }
    fun String.first(count: Int) = substring(0, offsetByCodePoints(0, minOf(count, codePointCount(0, length))))
    return if (words.size > 1) words.take(2).joinToString("") { it.first(1) }.uppercase() else words.firstOrNull().orEmpty().first(2)
}
