package dev.edgekit.sample.screens

import android.net.Uri
import androidx.activity.compose.PredictiveBackHandler
import androidx.activity.compose.rememberLauncherForActivityResult
import androidx.activity.result.contract.ActivityResultContracts.OpenDocument
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.WindowInsets
import androidx.compose.foundation.layout.WindowInsetsSides
import androidx.compose.foundation.layout.consumeWindowInsets
import androidx.compose.foundation.layout.fillMaxHeight
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.only
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawing
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.DropdownMenu
import androidx.compose.material3.DropdownMenuItem
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.NavigationRail
import androidx.compose.material3.NavigationRailItem
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.runtime.CompositionLocalProvider
import androidx.compose.runtime.LaunchedEffect
import androidx.compose.runtime.getValue
import androidx.compose.runtime.key
import androidx.compose.runtime.mutableFloatStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.SaveableStateHolder
import androidx.compose.runtime.saveable.rememberSaveable
import androidx.compose.runtime.saveable.rememberSaveableStateHolder
import androidx.compose.runtime.setValue
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.graphics.graphicsLayer
import androidx.compose.ui.platform.testTag
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import androidx.lifecycle.viewmodel.compose.viewModel
import dev.edgekit.core.BundleSource
import dev.edgekit.core.ModelInfo
import dev.edgekit.sample.R
import dev.edgekit.sample.tasks.HostState
import kotlinx.coroutines.CancellationException

/** All of the app: the start until the model is ready, then its screens. */
@Composable
fun EdgekitApp(viewModel: HostViewModel = viewModel(factory = ViewModels)) {
    val state by viewModel.state.collectAsStateWithLifecycle()
    val picker = rememberLauncherForActivityResult(OpenDocument()) { uri: Uri? ->
        if (uri != null) viewModel.open(BundleSource.Document(uri))
    }
    // No MIME type is known for bundles: file managers call them binary data, or nothing at all.
    val pick = { picker.launch(arrayOf("*/*")) }
    val builtIn = { viewModel.open(BundleSource.Assets()) }
    val settings = SettingsActions(pick, builtIn, viewModel::use, viewModel::retryGpu, viewModel::useDeveloperMode)
    val developer by viewModel.developer.collectAsStateWithLifecycle()
    var kept by rememberSaveable(stateSaver = BackStack.Saver) { mutableStateOf(BackStack()) }
    val screens = rememberSaveableStateHolder()
    val shown = state
    val model = when (shown) {
        is HostState.Ready -> shown.model.info
        is HostState.Lent -> shown.model.info
        else -> {
            StartScreen(shown, StartActions(viewModel::retry, pick, builtIn.takeUnless { viewModel.isBuiltIn }, viewModel::openInLittleMemory))
            return
        }
    }
    val backStack = kept.within(model)
    // What is kept may have changed since this was drawn: two quick steps back are two.
    val open = { destination: Destination -> kept = kept.within(model).opening(destination) }
    val back = { kept = kept.within(model).back() }
    val incoming by viewModel.incoming.collectAsStateWithLifecycle()
    LaunchedEffect(incoming) {
        incoming?.let { wanted ->
            kept = kept.within(model).openingFor(model, wanted.task ?: viewModel.lastTask)
            if (wanted.text == null) viewModel.taken()
        }
    }
    LaunchedEffect(backStack.task) { backStack.task?.let(model::task)?.let(viewModel::opened) }
    val draft = incoming?.text?.let { Draft(it, viewModel::taken) }
    val reachable = backStack.reachable.filter { developer || !it.forDevelopers }
    AdaptiveFrame(backStack.top, reachable, open) { isWide ->
        BackGesture(backStack, back) { destination ->
            Kept(screens, listOfNotNull(destination.name, backStack.task.takeIf { destination.ofTask }).joinToString(" "), developer) {
                val onBack = back.takeUnless { isWide }
                val task = backStack.task.orEmpty()
                when (destination) {
                    Destination.HOME -> HomeScreen(
                        model,
                        incoming?.text,
                        HomeActions({ kept = kept.openingTask(it) }, viewModel::retry, { open(Destination.SETTINGS) }.takeUnless { isWide }),
                    )
                    Destination.TASK -> TaskRoute(
                        task,
                        onBack.takeIf { backStack.below != null },
                        menu = { if (!isWide) Menu(reachable, open) },
                        draft = draft,
                    )
                    Destination.BENCHMARK -> BenchmarkRoute(task, onBack)
                    Destination.SELF_TEST -> SelfTestRoute(task, onBack)
                    Destination.MODEL -> ModelRoute(shown, task, onBack)
                    Destination.SETTINGS -> SettingsScreen(settingsUiState(shown, model, viewModel, developer), settings, onBack)
                    Destination.ABOUT -> AboutScreen(model, onBack)
                }
            }
        }
    }
}

/** A screen with what it kept while another was open. */
@Composable
private fun Kept(screens: SaveableStateHolder, key: String, developer: Boolean, screen: @Composable () -> Unit) =
    screens.SaveableStateProvider(key) { CompositionLocalProvider(LocalDeveloperMode provides developer, content = screen) }

private fun settingsUiState(state: HostState, model: ModelInfo, viewModel: HostViewModel, developer: Boolean) = SettingsUiState(
    bundleName = model.name,
    isBuiltIn = viewModel.isBuiltIn,
    backend = viewModel.backend,
    fallback = (state as? HostState.Ready)?.model?.fallback,
    developer = developer,
)

/** Where the window is wide, the screens stand in a rail at its side; else they are in a menu of the task screen. */
@Composable
private fun AdaptiveFrame(
    top: Destination,
    reachable: List<Destination>,
    open: (Destination) -> Unit,
    content: @Composable (isWide: Boolean) -> Unit,
) = Surface(Modifier.fillMaxSize()) {
    BoxWithConstraints {
        val isWide = maxWidth >= WideWindow
        Row(Modifier.fillMaxSize()) {
            if (isWide) Rail(top, reachable, open)
            val beside = if (isWide) WindowInsets.safeDrawing.only(WindowInsetsSides.Start) else WindowInsets(0)
            Box(Modifier.weight(1f).testTag("beside rail").consumeWindowInsets(beside)) { content(isWide) }
        }
    }
}

private val WideWindow = 600.dp

@Composable
private fun Rail(top: Destination, reachable: List<Destination>, open: (Destination) -> Unit) = NavigationRail(
    Modifier.fillMaxHeight(),
    containerColor = MaterialTheme.colorScheme.surfaceContainer,
) {
    Column(Modifier.verticalScroll(rememberScrollState()).padding(horizontal = 4.dp), horizontalAlignment = Alignment.CenterHorizontally) {
        reachable.forEach { destination ->
            NavigationRailItem(
                selected = destination == top,
                onClick = { open(destination) },
                modifier = Modifier.testTag("rail item"),
                icon = { Icon(painterResource(destination.icon), null) },
                label = { Text(stringResource(destination.title)) },
            )
        }
    }
}

@Composable
private fun Menu(reachable: List<Destination>, open: (Destination) -> Unit) = Box {
    var expanded by remember { mutableStateOf(false) }
    IconAction(R.drawable.ic_more, R.string.more, { expanded = true })
    DropdownMenu(expanded, { expanded = false }) {
        (reachable - Destination.HOME - Destination.TASK).forEach { destination ->
            DropdownMenuItem(
                text = { Text(stringResource(destination.title)) },
                onClick = {
                    expanded = false
                    open(destination)
                },
                leadingIcon = { Icon(painterResource(destination.icon), null) },
            )
        }
    }
}

/** Shows the top screen; while the back gesture is under way it shrinks and lets the one below appear. */
@Composable
private fun BackGesture(backStack: BackStack, back: () -> Unit, screen: @Composable (Destination) -> Unit) {
    var progress by remember { mutableFloatStateOf(0f) }
    PredictiveBackHandler(enabled = backStack.below != null) { gesture ->
        try {
            gesture.collect { progress = it.progress }
            back()
        } catch (_: CancellationException) {
            // The finger went back: the screen stays.
        } finally {
            progress = 0f
        }
    }
    val below = backStack.below
    val shape = MaterialTheme.shapes.extraLarge
    // By its key the one below stays the same when it comes to the top, with what was typed into it.
    for (destination in listOfNotNull(below.takeIf { progress > 0 }, backStack.top)) key(destination) {
        val shrinks = progress > 0 && destination == backStack.top
        Box(
            Modifier.fillMaxSize().graphicsLayer {
                val scale = if (shrinks) 1f - SHRINK * progress else 1f
                scaleX = scale
                scaleY = scale
            }.then(if (shrinks) Modifier.clip(shape) else Modifier),
        ) { screen(destination) }
    }
}

private const val SHRINK = 0.1f
