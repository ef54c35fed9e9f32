package dev.edgekit.sample.screens

import androidx.compose.foundation.interaction.collectIsDraggedAsState
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.PaddingValues
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.imePadding
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.widthIn
import androidx.compose.foundation.lazy.LazyColumn
import androidx.compose.foundation.lazy.LazyRow
import androidx.compose.foundation.lazy.items
import androidx.compose.foundation.lazy.itemsIndexed
import androidx.compose.foundation.lazy.rememberLazyListState
import androidx.compose.foundation.shape.CircleShape
import androidx.compose.foundation.text.KeyboardActions
import androidx.compose.foundation.text.KeyboardOptions
import androidx.compose.material3.CircularProgressIndicator
import androidx.compose.material3.FilledIconButton
import androidx.compose.material3.Icon
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedTextField
import androidx.compose.material3.SnackbarHostState
import androidx.compose.material3.SuggestionChip
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.rememberCoroutineScope
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.focus.FocusRequester
import androidx.compose.ui.focus.focusRequester
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.pluralStringResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.text.input.ImeAction
import androidx.compose.ui.text.input.KeyboardCapitalization
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import dev.edgekit.compose.CallActions
import dev.edgekit.core.Sampling
import dev.edgekit.core.calls.Outcome
import dev.edgekit.core.calls.Settled
import dev.edgekit.sample.R
import dev.edgekit.sample.calls.carryOut
import dev.edgekit.sample.calls.deedOf
import dev.edgekit.sample.tasks.Refusal
import kotlinx.coroutines.launch

/** What the task screen asks for. */
data class TaskActions(
    val send: (String) -> Unit,
    val stop: () -> Unit,
    val reset: () -> Unit,
    val use: (Sampling) -> Unit,
    val openSettingsPage: (String) -> Unit,
    val settle: (index: Int, Settled) -> Unit = { _, _ -> },
)

/** A text from another app, to be looked at before it is sent; [taken] when it is in the field. */
class Draft(val text: String, val taken: () -> Unit)

@Composable
fun TaskRoute(
    task: String,
    onBack: (() -> Unit)?,
    menu: @Composable () -> Unit,
    draft: Draft? = null,
    viewModel: TaskViewModel = viewModelOf(task),
) {
    val state by viewModel.state.collectAsStateWithLifecycle()
    val snackbar = remember { SnackbarHostState() }
    val open = rememberSettingsPages(snackbar)
    TaskScreen(state, TaskActions(viewModel::send, viewModel::stop, viewModel::reset, viewModel::use, open, viewModel::settle), onBack, menu, snackbar, draft)
}

@Composable
fun TaskScreen(
    state: TaskUiState?,
    actions: TaskActions,
    onBack: (() -> Unit)? = null,
    menu: @Composable () -> Unit = {},
    snackbar: SnackbarHostState = remember { SnackbarHostState() },
    draft: Draft? = null,
) {
    var showSampling by rememberSaveable { mutableStateOf(false) }
    Frame(
        title = state?.title ?: stringResource(R.string.task),
        onBack = onBack,
        snackbar = snackbar,
        actions = {
            IconAction(R.drawable.ic_reset, R.string.reset, actions.reset, enabled = state?.turns?.isNotEmpty() == true)
            if (LocalDeveloperMode.current) {
                IconAction(R.drawable.ic_sampling, R.string.sampling, { showSampling = true }, enabled = state != null)
            }
            menu()
        },
    ) { padding ->
        if (state == null) Busy(Modifier.padding(padding)) else Conversation(state, actions, draft, padding)
    }
    if (showSampling && state != null) {
        SamplingSheet(state.sampling, state.defaultSampling, onApply = actions.use, onDismiss = { showSampling = false })
    }
}

@Composable
private fun Busy(modifier: Modifier) = Box(modifier.fillMaxSize().padding(24.dp), Alignment.Center) {
    Column(horizontalAlignment = Alignment.CenterHorizontally, verticalArrangement = Arrangement.spacedBy(16.dp)) {
        CircularProgressIndicator()
        Text(stringResource(R.string.model_is_lent), textAlign = TextAlign.Center)
    }
}

@Composable
private fun Conversation(state: TaskUiState, actions: TaskActions, incoming: Draft?, padding: PaddingValues) = Column(
    Modifier.fillMaxSize().padding(padding).consumeWindowInsets(padding).imePadding(),
    horizontalAlignment = Alignment.CenterHorizontally,
) {
    if (LocalDeveloperMode.current) ContextMeter(state.contextUsed, state.contextTokens)
    var draft by rememberSaveable { mutableStateOf("") }
    LaunchedEffect(incoming?.text) {
        incoming?.let {
            draft = listOf(draft, it.text).filter(String::isNotBlank).joinToString("\n")
            it.taken()
        }
    }
    val typing = remember { FocusRequester() }
    val edit = { prompt: String ->
        draft = prompt
        typing.requestFocus()
        Unit
    }
    val page = Modifier.widthIn(max = ReadableWidth).fillMaxWidth().weight(1f)
    if (state.turns.isEmpty()) {
        Welcome(state, actions.send, page)
    } else {
        Turns(state, actions, edit, page)
    }
    Prompter(state, actions, draft, { draft = it }, typing, Modifier.widthIn(max = ReadableWidth).fillMaxWidth())
}

@Composable
private fun ContextMeter(used: Int, total: Int) {
    val share = if (total > 0) (used.toFloat() / total).coerceIn(0f, 1f) else 0f
    val spoken = pluralStringResource(R.plurals.context_spoken, total, number(used), number(total))
    Row(
        Modifier.fillMaxWidth().padding(horizontal = 16.dp, vertical = 4.dp).semantics(mergeDescendants = true) { contentDescription = spoken },
        horizontalArrangement = Arrangement.spacedBy(12.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        LinearProgressIndicator(
            { share },
            Modifier.weight(1f),
            color = if (share > NEARLY_FULL) MaterialTheme.colorScheme.error else MaterialTheme.colorScheme.primary,
            drawStopIndicator = {},
        )
        Text(
            stringResource(R.string.context_used, number(used), number(total)),
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            style = MaterialTheme.typography.labelMedium,
        )
    }
}

private const val NEARLY_FULL = 0.9f

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Welcome(state: TaskUiState, onExample: (String) -> Unit, modifier: Modifier) = LazyColumn(
    modifier,
    contentPadding = PaddingValues(24.dp),
    verticalArrangement = Arrangement.spacedBy(16.dp, Alignment.CenterVertically),
    horizontalAlignment = Alignment.CenterHorizontally,
) {
    item {
        Text(
            state.description ?: stringResource(if (state.calls) R.string.actions_welcome else R.string.chat_welcome),
            Modifier.semantics { heading() },
            style = MaterialTheme.typography.headlineSmall,
            textAlign = TextAlign.Center,
        )
    }
    if (state.examples.isNotEmpty()) {
        item { Text(stringResource(R.string.try_one), color = MaterialTheme.colorScheme.onSurfaceVariant) }
        item {
            FlowRow(Modifier, Arrangement.spacedBy(8.dp, Alignment.CenterHorizontally), Arrangement.spacedBy(4.dp)) {
                state.examples.forEach { Example(it, enabled = !state.answering) { onExample(it) } }
            }
        }
    }
    item {
        Text(
            stringResource(if (state.calls) R.string.stays_here_until else R.string.stays_here),
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            style = MaterialTheme.typography.bodySmall,
            textAlign = TextAlign.Center,
        )
    }
}

@Composable
private fun Example(text: String, enabled: Boolean, onClick: () -> Unit) =
    SuggestionChip(onClick, label = { Text(text, Modifier.padding(vertical = 6.dp)) }, Modifier.heightIn(min = 40.dp), enabled)

@Composable
private fun Turns(state: TaskUiState, actions: TaskActions, onEdit: (String) -> Unit, modifier: Modifier) {
    val list = rememberLazyListState()
    val isDragged by list.interactionSource.collectIsDraggedAsState()
    var follows by remember { mutableStateOf(true) }
    // The end of the answer stays in view while it grows, but no one is pulled away who has scrolled up meanwhile.
    LaunchedEffect(state.turns.size) { follows = true }
    LaunchedEffect(isDragged) { follows = !isDragged && !list.canScrollForward }
    LaunchedEffect(state.turns, follows) { if (follows) list.scrollToItem(state.turns.lastIndex, Int.MAX_VALUE / 2) }
    LazyColumn(
        modifier.testTag("turns"),
        list,
        contentPadding = PaddingValues(16.dp),
        verticalArrangement = Arrangement.spacedBy(16.dp),
    ) {
        itemsIndexed(state.turns) { index, turn ->
            Column(verticalArrangement = Arrangement.spacedBy(8.dp)) {
                val isLatest = index == state.turns.lastIndex
                if (turn.prompt != null) Prompt(turn.prompt)
                val calls = callActions(actions.settle).takeIf { isLatest && !state.answering }
                TurnView(turn, isLatest, actions.openSettingsPage, calls, onEdit)
            }
        }
    }
}

@Composable
private fun Prompt(text: String) = Box(Modifier.fillMaxWidth().padding(start = 48.dp), Alignment.CenterEnd) {
    val spoken = stringResource(R.string.you_said, text)
    Surface(
        Modifier.semantics(mergeDescendants = true) { contentDescription = spoken },
        shape = MaterialTheme.shapes.large,
        color = MaterialTheme.colorScheme.primaryContainer,
    ) {
        Text(text, Modifier.padding(horizontal = 16.dp, vertical = 10.dp))
    }
}

@Composable
private fun Prompter(
    state: TaskUiState,
    actions: TaskActions,
    draft: String,
    onDraft: (String) -> Unit,
    typing: FocusRequester,
    modifier: Modifier,
) = Column(modifier) {
    LaunchedEffect(state.refusal) { state.refusal?.let { if (draft.isEmpty()) onDraft(it.prompt) } }
    val send = {
        if (draft.isNotBlank() && !state.answering) {
            actions.send(draft.trim())
            onDraft("")
        }
    }
    if (state.turns.isNotEmpty() && state.examples.isNotEmpty()) {
        LazyRow(contentPadding = PaddingValues(horizontal = 16.dp), horizontalArrangement = Arrangement.spacedBy(8.dp)) {
            items(state.examples) { Example(it, enabled = !state.answering) { actions.send(it) } }
        }
    }
    state.refusal?.let { Refused(it) }
    if (state.oneTurn) {
        Text(
            stringResource(R.string.one_turn),
            Modifier.padding(horizontal = 24.dp, vertical = 4.dp),
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            style = MaterialTheme.typography.bodySmall,
        )
    }
    Row(
        Modifier.padding(start = 16.dp, top = 4.dp, end = 16.dp, bottom = 12.dp),
        horizontalArrangement = Arrangement.spacedBy(8.dp),
        verticalAlignment = Alignment.CenterVertically,
    ) {
        OutlinedTextField(
            draft,
            onDraft,
            Modifier.weight(1f).focusRequester(typing).testTag("prompt"),
            placeholder = { Text(stringResource(hint(state))) },
            isError = state.refusal != null && draft == state.refusal.prompt,
            keyboardOptions = KeyboardOptions(KeyboardCapitalization.Sentences, imeAction = ImeAction.Send),
            keyboardActions = KeyboardActions(onSend = { send() }),
            maxLines = 5,
            shape = MaterialTheme.shapes.extraLarge,
        )
        val speak = rememberSpeech { onDraft(listOf(draft, it).filter(String::isNotBlank).joinToString(" ")) }
        if (speak != null && draft.isBlank() && !state.answering) IconAction(R.drawable.ic_mic, R.string.speak, speak)
        if (state.answering) {
            FilledIconButton(actions.stop, Modifier.size(56.dp), shape = CircleShape) {
                Icon(painterResource(R.drawable.ic_stop), stringResource(R.string.stop))
            }
        } else {
            FilledIconButton(send, Modifier.size(56.dp), enabled = draft.isNotBlank(), shape = CircleShape) {
                Icon(painterResource(R.drawable.ic_send), stringResource(R.string.send))
            }
        }
    }
}

private fun hint(state: TaskUiState) = when {
    state.calls -> R.string.prompt_hint_actions
    state.answersInFormat -> R.string.prompt_hint_task
    else -> R.string.prompt_hint_chat
}

@Composable
private fun Refused(refusal: Refusal) = Text(
    tooManyTokens(refusal.excess),
    Modifier.padding(horizontal = 24.dp, vertical = 8.dp).semantics { liveRegion = LiveRegionMode.Assertive },
    color = MaterialTheme.colorScheme.error,
    style = MaterialTheme.typography.bodyMedium,
)

/** A tap on a call's card does it, or leaves it; both are told. */
@Composable
private fun callActions(settle: (Int, Settled) -> Unit): (Int) -> CallActions {
    val context = LocalContext.current
    return { index ->
        CallActions(
            carryOut = { call -> deedOf(call)?.let { settle(index, Settled(call, carryOut(it, context))) } },
            skip = { call -> settle(index, Settled(call, Outcome.SKIPPED)) },
        )
    }
}

/** Starts a page of the system's settings, and says so in the snackbar when this phone has no such page. */
@Composable
private fun rememberSettingsPages(snackbar: SnackbarHostState): (String) -> Unit {
    val context = LocalContext.current
    val scope = rememberCoroutineScope()
    val missing = stringResource(R.string.no_such_page)
    return { intent ->
        if (!openSettingsPage(context, intent)) scope.launch { snackbar.showSnackbar(missing) }
    }
}
