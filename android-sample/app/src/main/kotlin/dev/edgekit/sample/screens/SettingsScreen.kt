package dev.edgekit.sample.screens

import android.content.Context
import android.os.Build
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.Spacer
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.heightIn
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.size
import androidx.compose.foundation.layout.width
import androidx.compose.foundation.selection.selectable
import androidx.compose.foundation.selection.selectableGroup
import androidx.compose.foundation.selection.toggleable
import androidx.compose.material3.Icon
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.RadioButton
import androidx.compose.material3.Switch
import androidx.compose.material3.Text
import androidx.compose.runtime.Composable
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.platform.LocalContext
import androidx.compose.ui.res.painterResource
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.Role
import androidx.compose.ui.unit.dp
import dev.edgekit.core.Backend
import dev.edgekit.sample.R

/**
 * @property backend what the user asked for
 * @property fallback why it is not used, null when it is
 */
data class SettingsUiState(
    val bundleName: String,
    val isBuiltIn: Boolean,
    val backend: Backend,
    val fallback: String?,
    val developer: Boolean,
)

/** What the settings ask for. */
data class SettingsActions(
    val pick: () -> Unit,
    val openBuiltIn: () -> Unit,
    val use: (Backend) -> Unit,
    val retryGpu: () -> Unit,
    val useDeveloperMode: (Boolean) -> Unit,
)

@OptIn(ExperimentalLayoutApi::class)
@Composable
fun SettingsScreen(
    state: SettingsUiState,
    actions: SettingsActions,
    onBack: (() -> Unit)? = {},
) = Frame(stringResource(R.string.settings), onBack) { padding ->
    ScrollingColumn(padding) {
        Section(stringResource(R.string.model)) {
            Text(state.bundleName, style = MaterialTheme.typography.titleMedium)
            Text(
                stringResource(if (state.isBuiltIn) R.string.is_built_in else R.string.is_picked),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
            )
            FlowRow(Modifier, Arrangement.spacedBy(8.dp), Arrangement.spacedBy(4.dp)) {
                OutlinedButton(actions.pick) {
                    Icon(painterResource(R.drawable.ic_file), null, Modifier.size(18.dp))
                    Spacer(Modifier.width(8.dp))
                    Text(stringResource(R.string.open_another))
                }
                if (!state.isBuiltIn) OutlinedButton(actions.openBuiltIn) { Text(stringResource(R.string.back_to_built_in)) }
            }
            Text(
                stringResource(R.string.open_another_hint),
                color = MaterialTheme.colorScheme.onSurfaceVariant,
                style = MaterialTheme.typography.bodySmall,
            )
        }
        Section(stringResource(R.string.backend)) {
            Column(Modifier.selectableGroup()) {
                Option(R.string.backend_cpu, R.string.cpu_hint, state.backend == Backend.CPU) { actions.use(Backend.CPU) }
                Option(R.string.backend_gpu, R.string.gpu_hint, state.backend == Backend.GPU) { actions.use(Backend.GPU) }
            }
            state.fallback?.let {
                Text(stringResource(R.string.gpu_fallback, it), color = MaterialTheme.colorScheme.error)
                OutlinedButton(actions.retryGpu) { Text(stringResource(R.string.retry_gpu)) }
            }
        }
        LanguageButton()
        Section(null) { DeveloperSwitch(state.developer, actions.useDeveloperMode) }
        Section(stringResource(R.string.privacy)) { Text(stringResource(R.string.privacy_hint)) }
    }
}

@Composable
private fun LanguageButton() {
    val context = LocalContext.current
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
        OutlinedButton({ openLanguage(context) }) { Text(stringResource(R.string.language_setting)) }
    }
}

private fun openLanguage(context: Context) {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) openLanguagePage(context)
}

@Composable
private fun DeveloperSwitch(on: Boolean, onChange: (Boolean) -> Unit) = Row(
    Modifier.fillMaxWidth().heightIn(min = 56.dp).toggleable(on, role = Role.Switch, onValueChange = onChange),
    horizontalArrangement = Arrangement.spacedBy(16.dp),
    verticalAlignment = Alignment.CenterVertically,
) {
    Column(Modifier.weight(1f)) {
        Text(stringResource(R.string.developer_mode))
        Text(
            stringResource(R.string.developer_mode_hint),
            color = MaterialTheme.colorScheme.onSurfaceVariant,
            style = MaterialTheme.typography.bodySmall,
        )
    }
    Switch(on, onCheckedChange = null)
}

@Composable
private fun Option(title: Int, hint: Int, selected: Boolean, onSelect: () -> Unit) = Row(
    Modifier.fillMaxWidth().heightIn(min = 56.dp).selectable(selected, role = Role.RadioButton, onClick = onSelect)
        .padding(vertical = 8.dp),
    horizontalArrangement = Arrangement.spacedBy(16.dp),
    verticalAlignment = Alignment.CenterVertically,
) {
    RadioButton(selected, onClick = null)
    Column {
        Text(stringResource(title))
        Text(stringResource(hint), color = MaterialTheme.colorScheme.onSurfaceVariant, style = MaterialTheme.typography.bodySmall)
    }
}
