package dev.edgekit.sample.screens

import androidx.annotation.StringRes
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ColumnScope
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.RowScope
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Card
import androidx.compose.material3.CardDefaults
import androidx.compose.material3.ExperimentalMaterial3Api
import androidx.compose.material3.Icon
import androidx.compose.material3.IconButton
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.Scaffold
import androidx.compose.material3.SnackbarHost
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.Text
import androidx.compose.material3.TopAppBar
import androidx.compose.runtime.Composable
import androidx.compose.runtime.ReadOnlyComposable
import androidx.compose.runtime.remember
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalDensity
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.style.TextOverflow
import androidx.compose.ui.unit.dp
import dev.edgekit.sample.R

/** Lines longer than this are hard to read. */
val ReadableWidth = 720.dp

/** A screen with a title and, where there is one, a way back. */
@OptIn(ExperimentalMaterial3Api::class)
@Composable
fun Frame(
    title: String,
    onBack: (() -> Unit)?,
    modifier: Modifier = Modifier,
    snackbar: SnackbarHostState = remember { SnackbarHostState() },
    actions: @Composable RowScope.() -> Unit = {},
    content: @Composable (PaddingValues) -> Unit,
) = Scaffold(
    modifier = modifier,
    topBar = {
        TopAppBar(
            title = {
                Text(
                    title,
                    Modifier.semantics { heading() },
                    fontSize = MaterialTheme.typography.titleLarge.fontSize * titleScale(),
                    maxLines = 1,
                    overflow = TextOverflow.Ellipsis,
                )
            },
            navigationIcon = { if (onBack != null) IconAction(R.drawable.ic_back, R.string.back, onBack) },
            actions = actions,
        )
    },
    snackbarHost = { SnackbarHost(snackbar) },
    content = content,
)

/** The bar does not grow with the font, and its actions leave little room: a title grows by a fifth at most. */
@Composable
@ReadOnlyComposable
private fun titleScale(): Float = (MOST_TITLE_SCALE / LocalDensity.current.fontScale).coerceAtMost(1f)

private const val MOST_TITLE_SCALE = 1.2f

/** A column that scrolls and stays readable on a wide screen. */
@Composable
fun ScrollingColumn(padding: PaddingValues, content: @Composable ColumnScope.() -> Unit) = Box(
    Modifier.fillMaxSize().verticalScroll(rememberScrollState()).padding(padding),
    contentAlignment = Alignment.TopCenter,
) {
    Column(
        Modifier.widthIn(max = ReadableWidth).fillMaxWidth().padding(start = 16.dp, top = 8.dp, end = 16.dp, bottom = 24.dp),
        verticalArrangement = Arrangement.spacedBy(16.dp),
        content = content,
    )
}

@Composable
fun IconAction(icon: Int, @StringRes label: Int, onClick: () -> Unit, enabled: Boolean = true) =
    IconButton(onClick, enabled = enabled) { Icon(painterResource(icon), stringResource(label)) }

@Composable
fun Heading(text: String, modifier: Modifier = Modifier) = Text(
    text,
    modifier.semantics { heading() },
    color = MaterialTheme.colorScheme.primary,
    style = MaterialTheme.typography.titleSmall,
)

/** What belongs together, on a surface of its own. */
@Composable
fun Section(title: String?, modifier: Modifier = Modifier, content: @Composable ColumnScope.() -> Unit) = Card(
    modifier.fillMaxWidth(),
    colors = CardDefaults.cardColors(containerColor = MaterialTheme.colorScheme.surfaceContainer),
) {
    Column(Modifier.padding(16.dp), verticalArrangement = Arrangement.spacedBy(12.dp)) {
        if (title != null) Heading(title)
        content()
    }
}
