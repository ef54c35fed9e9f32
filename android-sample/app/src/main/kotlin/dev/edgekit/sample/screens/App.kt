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
import androidx.compose.runtime.getValue
import androidx.compose.runtime.mutableFloatStateOf
import androidx.compose.runtime.mutableStateOf
import androidx.compose.runtime.remember
import androidx.compose.runtime.saveable.rememberSaveableStateHolder
import androidx.compose.runtime.setValue
import androidx.compose.ui.Modifier
import androidx.compose.ui.draw.clip
import androidx.compose.ui.graphics.graphicsLayer
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.unit.dp
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import androidx.lifecycle.viewmodel.compose.viewModel
import dev.edgekit.sample.R
import dev.edgekit.sample.tasks.BundleChoice
import dev.edgekit.sample.tasks.HostState
import kotlinx.coroutines.CancellationException

/** All of the app: the start until the model is ready, then its screens. */
@Composable
fun EdgekitApp(viewModel: HostViewModel = viewModel(factory = ViewModels)) {
    val state by viewModel.state.collectAsStateWithLifecycle()
    val picker = rememberLauncherForActivityResult(OpenDocument()) { uri: Uri? ->
        if (uri != null) viewModel.open(BundleChoice.Picked(uri.toString()))
    }
    // No MIME type is known for bundles: file managers call them binary data, or nothing at all.
    val pick = { picker.launch(arrayOf("*/*")) }
    val builtIn = { viewModel.open(BundleChoice.BuiltIn) }
    val settings = SettingsActions(pick, builtIn, viewModel::use, viewModel::retryGpu)
    val backStack = rememberBackStack()
    val screens = rememberSaveableStateHolder()
    val shown = state
    if (shown !is HostState.Ready && shown !is HostState.Lent) {
        StartScreen(shown, viewModel::retry, pick, builtIn.takeUnless { viewModel.isBuiltIn })
        return
    }
    AdaptiveFrame(backStack) { isWide ->
        BackGesture(backStack) { destination ->
            screens.SaveableStateProvider(destination.name) {
                val onBack = { backStack.back() }.takeUnless { isWide }
                when (destination) {
                    Destination.TASK -> TaskRoute(menu = { if (!isWide) Menu(backStack::open) })
                    Destination.BENCHMARK -> BenchmarkRoute(onBack)
                    Destination.SELF_TEST -> SelfTestRoute(onBack)
                    Destination.MODEL -> ModelScreen(modelUiState(shown), onBack)
                    Destination.SETTINGS -> SettingsScreen(settingsUiState(shown, viewModel), settings, onBack)
                }
            }
        }
    }
}

private fun modelUiState(state: HostState): ModelUiState = when (state) {
    is HostState.Ready -> ModelUiState(state.model.bundle, state.model.engine.runtimeVersion, state.model.backend)
    is HostState.Lent -> ModelUiState(state.bundle, null, null)
    else -> error("no model is ready")
}

private fun settingsUiState(state: HostState, viewModel: HostViewModel): SettingsUiState {
    val bundle = modelUiState(state).bundle
    return SettingsUiState(
        bundleName = bundle.manifest?.name ?: bundle.model.nameWithoutExtension,
        isBuiltIn = viewModel.isBuiltIn,
        backend = viewModel.backend,
        fallback = (state as? HostState.Ready)?.model?.fallback,
    )
}

/** Where the window is wide, the screens stand in a rail at its side; else they are in a menu of the task screen. */
@Composable
private fun AdaptiveFrame(backStack: BackStack, content: @Composable (isWide: Boolean) -> Unit) = Surface(Modifier.fillMaxSize()) {
    BoxWithConstraints {
        val isWide = maxWidth >= WideWindow
        Row(Modifier.fillMaxSize()) {
            if (isWide) Rail(backStack)
            val beside = if (isWide) WindowInsets.safeDrawing.only(WindowInsetsSides.Start) else WindowInsets(0)
            Box(Modifier.weight(1f).consumeWindowInsets(beside)) { content(isWide) }
        }
    }
}

private val WideWindow = 600.dp

@Composable
private fun Rail(backStack: BackStack) = NavigationRail(
    Modifier.fillMaxHeight(),
    containerColor = MaterialTheme.colorScheme.surfaceContainer,
) {
    Column(Modifier.verticalScroll(rememberScrollState())) {
        Destination.entries.forEach { destination ->
            NavigationRailItem(
                selected = destination == backStack.top,
                onClick = { backStack.open(destination) },
                icon = { Icon(painterResource(destination.icon), null) },
                label = { Text(stringResource(destination.title)) },
            )
        }
    }
}

@Composable
private fun Menu(open: (Destination) -> Unit) = Box {
    var expanded by remember { mutableStateOf(false) }
    IconAction(R.drawable.ic_more, R.string.more, { expanded = true })
    DropdownMenu(expanded, { expanded = false }) {
        (Destination.entries - Destination.TASK).forEach { destination ->
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
private fun BackGesture(backStack: BackStack, screen: @Composable (Destination) -> Unit) {
    var progress by remember { mutableFloatStateOf(0f) }
    PredictiveBackHandler(enabled = backStack.below != null) { gesture ->
        try {
            gesture.collect { progress = it.progress }
            backStack.back()
        } catch (_: CancellationException) {
            // The finger went back: the screen stays.
        } finally {
            progress = 0f
        }
    }
    val below = backStack.below
    if (progress > 0 && below != null) screen(below)
    val shape = MaterialTheme.shapes.extraLarge
    Box(
        Modifier.fillMaxSize().graphicsLayer {
            val scale = 1f - SHRINK * progress
            scaleX = scale
            scaleY = scale
        }.then(if (progress > 0) Modifier.clip(shape) else Modifier),
    ) { screen(backStack.top) }
}

private const val SHRINK = 0.1f
