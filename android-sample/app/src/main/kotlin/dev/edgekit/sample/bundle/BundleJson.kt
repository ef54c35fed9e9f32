package dev.edgekit.sample.bundle

import dev.edgekit.sample.engine.AnswerFormat
import dev.edgekit.sample.engine.Sampling

internal const val MANIFEST = "edgekit.json"
internal const val TASK = "task.json"
internal const val NOTICE = "NOTICE"
internal const val MODEL_SUFFIX = ".litertlm"

private const val SCHEMA_VERSION = 1L

private val DIGEST = Regex("[0-9a-f]{64}")
private val PLAIN_NAME = Regex("""[^./\\\p{Cntrl}][^/\\\p{Cntrl}]{0,250}""")

/** Reads `edgekit.json`. Throws [BundleFailure.Unreadable], which names the key. */
internal fun parseManifest(text: String): Manifest {
    val json = StrictObject.read(MANIFEST, text)
    json.checkSchema()
    val model = json.at("model")
    val file = model.text("file")
    if (!PLAIN_NAME.matches(file) || !file.endsWith(MODEL_SUFFIX)) model.wrong("file", "the name of a $MODEL_SUFFIX file")
    val size = model.whole("size").also { if (it < 1) model.wrong("size", "a positive number") }
    val sha256 = model.text("sha256").also { if (!DIGEST.matches(it)) model.wrong("sha256", "64 hexadecimal digits") }
    return Manifest(
        model = ModelFile(file, size, sha256),
        name = file.removeSuffix(MODEL_SUFFIX),
        recipe = json.at("recipe").text("name"),
        contextTokens = json.positive("kv_length"),
        sampling = sampling(json.at("sampler")),
        answerFormat = json.atOrNull("answer")?.let(::answerFormat),
        minimumRuntime = json.text("minimum_runtime"),
        licence = json.textOrNull("licence"),
        examples = json.texts("examples"),
    )
}

/** Reads `task.json`. Throws [BundleFailure.Unreadable], which names the key. */
internal fun parseTask(text: String): Task {
    val json = StrictObject.read(TASK, text)
    json.checkSchema()
    return Task(
        title = json.text("title"),
        description = json.textOrNull("description"),
        systemPrompt = json.textOrNull("system_prompt"),
        examples = json.texts("examples"),
        golden = json.objects("golden").map { Golden(it.text("prompt"), it.text("answer")) },
        actions = json.objects("actions").map(::action),
        quality = json.atOrNull("quality")?.let(::quality),
    )
}

/** What is known of a bundle that brings no `task.json`. */
internal fun genericTask(title: String, examples: List<String> = emptyList()) = Task(
    title = title,
    description = null,
    systemPrompt = null,
    examples = examples,
    golden = emptyList(),
    actions = emptyList(),
    quality = null,
)

private fun StrictObject.checkSchema() {
    val version = whole("schema_version")
    if (version < 1) wrong("schema_version", "a positive number")
    if (version > SCHEMA_VERSION) wrong("schema_version", "at most $SCHEMA_VERSION, the newest that this app knows: it is $version")
}

private fun sampling(json: StrictObject): Sampling = when (json.text("kind")) {
    "greedy" -> Sampling.Greedy
    "top_p" -> Sampling.TopP(
        temperature = json.number("temperature").toFloat(),
        topK = json.positive("top_k"),
        topP = json.number("top_p").toFloat(),
    )
    else -> json.wrong("kind", "greedy or top_p")
}

private fun answerFormat(json: StrictObject): AnswerFormat = when (json.text("kind")) {
    "json_schema" -> AnswerFormat.JsonSchema(json.source("schema"))
    "regex" -> AnswerFormat.Regex(json.text("regex"))
    else -> json.wrong("kind", "json_schema or regex")
}

private fun action(json: StrictObject): Action {
    val fields = json.at("when")
    return Action(fields.keys().associateWith(fields::text), json.text("intent"))
}

private fun quality(json: StrictObject) = Quality(
    passed = json.flag("passed"),
    checks = json.objects("checks").map { QualityCheck(it.text("name"), it.flag("passed"), it.text("summary")) },
)
