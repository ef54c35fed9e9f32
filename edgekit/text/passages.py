"""The built-in text of calibration: passages in several languages, code and data, and turns of chats.

It is there to show a model the kinds of input that it meets; what a bundle is judged on is other text.
"""

# ruff: noqa: E501, RUF001 (texts; ambiguous characters are the point)

PASSAGES: tuple[str, ...] = (
    """The ferry leaves the old harbour at a quarter past six, when the market is still being set up and the gulls have
the quay to themselves. It carries the post, two vans of vegetables, and whoever works on the islands: a teacher, a
plumber with his tools in a sack, the woman who repairs wind turbines. Nobody talks much. By the third stop the sun
stands above the breakwater, and the captain, who has made this crossing some nine thousand times, turns off the radio
to listen to the engine. "A good engine has a rhythm," she says. "When it starts to argue, you go home."

On the way back the boat is full. Children drop crusts over the rail, a man explains to his phone why he will be late,
and the plumber, whose sack is now empty, sleeps with his head against the window. In 1987 the company wanted to build a
bridge instead; it would have cost 412 million and taken eleven years. The islanders voted against it by 61 to 39 per
cent. They had worked out that a bridge brings people who do not have to wait, and that waiting was the only thing the
place had always had enough of.""",
    """Heat moves in three ways. In a solid it is conducted: fast particles push their slower neighbours, and metals are good
at it because their electrons wander freely. In liquids and gases it is carried along by convection, since warm matter
expands, becomes lighter and rises. The third way needs no matter at all. Every body radiates, the more the hotter it
is: the power grows with the fourth power of the absolute temperature, P = σ A T^4, where σ = 5.67 × 10^-8 W/(m² K^4).
A vacuum flask works against all three: glass conducts badly, the empty space between its walls stops convection, and
the silvered surface sends radiation back. What is left is the cork, and that is why tea cools through the lid first.

Exercise. A cup holds 250 ml of tea at 90 °C in a room of 20 °C. After ten minutes it has 65 °C. How long does it take
until it has 40 °C? Newton's law says that the difference to the room falls by the same factor in equal times: from 70
to 45 degrees in ten minutes, so k = ln(70/45)/10 = 0.0442 per minute, and t = ln(70/20)/k = 28.4 minutes.""",
    """Der Zug nach Leipzig hält heute nicht am Gleis 7, sondern am Gleis 12. Wer umsteigen möchte, hat neun Minuten Zeit; das
reicht, wenn man den Tunnel nimmt und nicht die Brücke. Im Speisewagen gibt es Linsensuppe, belegte Brötchen und, wie
immer, keinen Kuchen mehr. Frau Özdemir sitzt am Fenster und liest die Betriebsanleitung ihrer neuen Waschmaschine, als
wäre es ein Roman: "Vor dem ersten Gebrauch entfernen Sie bitte sämtliche Transportsicherungen (Abb. 3)." Draußen ziehen
Felder vorbei, Windräder, ein Fußballplatz ohne Tore. Es wird wohl regnen, denkt sie, und dass man die Wäsche besser
morgen macht.""",
    """El año pasado sembramos tomates, pimientos y tres clases de calabaza en la azotea del edificio. Los vecinos del cuarto
decían que no iba a funcionar, porque allí arriba el viento no perdona; pero pusimos una malla, recogimos el agua de
lluvia en bidones azules y, a mediados de agosto, ya no sabíamos a quién regalar más verduras. ¿El secreto? Riego por la
noche, mucha paciencia y un cuaderno donde apuntarlo todo: 14 de mayo, primeras flores; 2 de junio, pulgón.""",
    """La bibliothèque ouvre à neuf heures, sauf le lundi. On peut y emprunter dix livres, deux jeux et, depuis septembre, des
outils : une perceuse, une échelle, même une machine à coudre. « Rendez-les propres », prévient l'affiche. L'idée vient
d'une lectrice qui n'avait besoin d'un marteau qu'une fois par an. Aujourd'hui, la perceuse est réservée jusqu'en mars.
Olá, tudo bem? O próximo ônibus para a rodoviária sai às 17h40; o bilhete custa R$ 5,20 e só se paga com cartão.""",
    """駅前の小さな食堂は、昼の十二時になるといつも満席だ。焼き魚定食は八百五十円、味噌汁とご飯のおかわりは自由。店主の
山田さんは「急がなくていいよ」と言いながら、誰よりも速く動いている。今天下午三点,我们在会议室讨论新的计划:先看预算,再决定
由谁负责测试。오늘 회의는 세 시에 시작합니다. 자료는 미리 읽어 오세요. Завтра обещают снег и минус пять, поэтому зимние шины
лучше поставить сегодня. आज बाज़ार में आम बहुत सस्ते हैं। افتح النافذة من فضلك، الجو حار اليوم.""",
    '''from collections import Counter
from pathlib import Path


def most_common_words(path: Path, count: int = 10, *, ignore: frozenset[str] = frozenset()) -> list[tuple[str, int]]:
    """Return the most frequent words of a text file, in lower case."""
    words = Counter()
    with path.open(encoding="utf-8") as file:
        for line in file:
            for word in line.lower().split():
                word = word.strip(".,;:!?\\"'()")
                if word and word not in ignore:
                    words[word] += 1
    return words.most_common(count)


if __name__ == "__main__":
    for word, n in most_common_words(Path("notes.txt"), ignore=frozenset({"the", "a", "of"})):
        print(f"{word:<20}{n:>6}")''',
    """class Timer(private val scope: CoroutineScope, private val onTick: (Long) -> Unit) {
    private var job: Job? = null

    fun start(seconds: Long) {
        job?.cancel()
        job = scope.launch {
            for (left in seconds downTo 0) {
                onTick(left)
                if (left > 0) delay(1_000)
            }
        }
    }

    fun stop() = job?.cancel()
}

SELECT c.name, COUNT(*) AS orders, SUM(o.total) AS revenue
FROM customers c JOIN orders o ON o.customer_id = c.id
WHERE o.created_at >= '2024-01-01' GROUP BY c.name HAVING COUNT(*) > 3 ORDER BY revenue DESC LIMIT 20;

{"title": "Dentist", "start": "2025-03-04T14:30", "minutes": 45, "place": null, "people": ["Ana", "Tom"], "alarm": true}
<li class="item"><a href="/orders/1042">Order 1042</a> <span>€ 18.90</span></li>""",
)
"""Plain text, as in pre-training."""

TURNS: tuple[tuple[str, str], ...] = (
    (
        "What is the difference between weather and climate?",
        "Weather is what the air does today and this week: rain, wind, temperature. Climate is the pattern of weather over "
        "decades. A cold day says little about the climate; thirty years of measurements say a lot.",
    ),
    (
        "Rewrite this message so that it sounds friendlier: Send me the file now.",
        "Hi! Could you send me the file when you have a moment? Thank you!",
    ),
    (
        "turn the living room lights down a bit",
        '{"device": "living room lights", "action": "dim", "amount": "a bit"}',
    ),
    (
        "Classify the sentiment as positive, negative or neutral: The battery lasts two days, but the screen scratches "
        "far too easily.",
        "neutral",
    ),
    (
        "Wie sage ich auf Englisch: Ich hätte gern einen Tisch für zwei?",
        "I would like a table for two, please.",
    ),
    (
        "Remind me on Friday at 8 to call Dr. Brown",
        '{"title": "Call Dr. Brown", "date": "Friday", "time": "08:00"}',
    ),
    ("List three things to check before a bike ride.", "1. Tyre pressure\n2. Brakes\n3. Chain and gears"),
)
"""(what the user says, what the model answers), put through the checkpoint's own chat template."""
