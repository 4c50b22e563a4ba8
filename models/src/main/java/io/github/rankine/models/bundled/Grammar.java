package io.github.rankine.models.bundled;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.random.RandomGenerator;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A stochastic context-free grammar with a memory: what one rule has drawn can be recalled later in the same text, so
 * that a story keeps its hero and an answer fits its question.
 *
 * <p>The notation, one rule after another:
 *
 * <pre>
 * person(name, he): Ada/she, Ben/he             words, each with its forms; the first form is the default
 * thing(one, many):                             more words than fit a line go below it, indented
 *   lamp/lamps, box/boxes
 * text:                                         a rule of sentences, one alternative a line
 *   &lt;person:who&gt; has two &lt;thing:what.many&gt;.    draw, remember as "who"; the form "many"
 *   3* &lt;!person:who&gt;&lt;talk&gt;                 three times as likely; ! draws and remembers without printing
 * talk:
 *   &lt;^$who.he&gt; sings.                         $ recalls; ^ begins with a capital
 *   "&lt;$who|spelled&gt;" is a name.               | passes it through a {@link Filter}; &lt;nl&gt; is a line break
 * </pre>
 *
 * <p>A line that is indented by six spaces or more continues the one above it, after a space unless it begins with
 * {@code <nl>}. A rule of words is one whose header names forms or is followed by words on its own line. What
 * is remembered holds for the rest of the text, or until the same name is given to another draw; a remembered draw
 * differs from all the others of its rule that are held then. "a" becomes "an" before a
 * vowel. The same grammar and random stream give the same text.
 */
final class Grammar {
    /** What a reference may do to its text. */
    enum Filter {
        /** lamp becomes l-a-m-p. */
        SPELLED {
            @Override
            String apply(String text) {
                return String.join("-", text.split(""));
            }
        },
        /** lamp becomes pmal. */
        REVERSED {
            @Override
            String apply(String text) {
                return new StringBuilder(text).reverse().toString();
            }
        };

        abstract String apply(String text);
    }

    /** A generated text with what its outermost rule remembered: each variable's default form. */
    record Derivation(String text, Map<String, String> remembered) {}

    private sealed interface Part {}

    private record Literal(String text) implements Part {}

    /** One reference in angle brackets; {@code rule} is null for a recall, {@code variable} for a draw not kept. */
    private record Reference(String rule, String variable, String form, boolean silent, boolean capital, Filter filter)
            implements Part {}

    private sealed interface Rule {}

    private record Words(List<String> forms, List<List<String>> rows) implements Rule {}

    private record Sentences(List<List<Part>> alternatives, int[] cumulativeWeights) implements Rule {}

    /** A remembered draw: its rule and its forms. */
    private record Value(String rule, List<String> forms) {}

    private static final Pattern HEADER = Pattern.compile("([a-z-]+)(?:\\(([a-z, ]+)\\))?:(.*)");
    private static final Pattern WEIGHT = Pattern.compile("(\\d+)\\* (.*)");
    private static final Pattern REFERENCE =
            Pattern.compile("<(?<capital>\\^?)(?<mode>[!$]?)(?<name>[a-z-]+)(?::(?<as>[a-z]+))?(?:\\.(?<form>[a-z]+))?"
                    + "(?:\\|(?<filter>[a-z]+))?>");
    private static final Pattern MALFORMED = Pattern.compile("<(?!\\|)");
    private static final Pattern ARTICLE = Pattern.compile("\\b([Aa]) (?=[aeiou])");
    private static final String ALTERNATIVE = "  ";
    private static final String CONTINUATION = "      ";
    private static final String LINE_BREAK = "nl";
    private static final List<String> ONE_FORM = List.of("base");

    private final Map<String, Rule> rules = new HashMap<>();

    /** Parses {@code notation}; an undefined rule or unknown filter is refused. */
    Grammar(String... notation) {
        Map<String, Matcher> headers = new LinkedHashMap<>();
        Map<String, List<String>> bodies = new HashMap<>();
        String current = null;
        for (String line : String.join("\n", notation).lines().toList()) {
            Matcher header = HEADER.matcher(line);
            if (header.matches()) {
                current = header.group(1);
                if (headers.put(current, header) != null) {
                    throw new IllegalArgumentException("grammar: rule '" + current + "' is defined twice: rename one");
                }
                bodies.put(current, new ArrayList<>());
            } else if (line.startsWith(CONTINUATION)
                    && current != null
                    && !bodies.get(current).isEmpty()) {
                List<String> body = bodies.get(current);
                String joint = line.strip().startsWith("<nl>") ? "" : " ";
                body.addLast(body.removeLast() + joint + line.strip());
            } else if (line.startsWith(ALTERNATIVE) && current != null) {
                bodies.get(current).add(line.strip());
            } else if (!line.isBlank()) {
                throw new IllegalArgumentException(
                        "grammar: cannot read the line '" + line + "': write 'rule:' or indent it");
            }
        }
        headers.forEach((name, header) -> rules.put(name, rule(header, bodies.get(name))));
        rules.values().forEach(this::checkReferences);
    }

    private static Rule rule(Matcher header, List<String> body) {
        String inline = header.group(3).strip();
        if (header.group(2) == null && inline.isEmpty()) {
            return sentences(body);
        }
        List<String> forms =
                header.group(2) == null ? ONE_FORM : List.of(header.group(2).split(", *"));
        List<List<String>> rows = new ArrayList<>();
        List<String> lines = new ArrayList<>(body);
        lines.addFirst(inline);
        for (String line : lines) {
            for (String word : line.isEmpty() ? new String[0] : line.split(", *")) {
                List<String> row = List.of(word.split("/"));
                if (row.size() != forms.size()) {
                    throw new IllegalArgumentException("grammar: '" + word + "' must have the forms " + forms);
                }
                rows.add(row);
            }
        }
        return new Words(forms, rows);
    }

    private static Sentences sentences(List<String> body) {
        List<List<Part>> alternatives = new ArrayList<>();
        int[] cumulativeWeights = new int[body.size()];
        int sum = 0;
        for (String line : body) {
            Matcher weight = WEIGHT.matcher(line);
            sum += weight.matches() ? Integer.parseInt(weight.group(1)) : 1;
            cumulativeWeights[alternatives.size()] = sum;
            alternatives.add(parts(weight.matches() ? weight.group(2) : line));
        }
        return new Sentences(alternatives, cumulativeWeights);
    }

    private static List<Part> parts(String alternative) {
        List<Part> parts = new ArrayList<>();
        int end = 0;
        Matcher reference = REFERENCE.matcher(alternative);
        while (reference.find()) {
            if (reference.start() > end) {
                parts.add(literal(alternative.substring(end, reference.start())));
            }
            String mode = reference.group("mode");
            String name = reference.group("name");
            boolean recall = mode.equals("$");
            String filter = reference.group("filter");
            parts.add(new Reference(
                    recall ? null : name,
                    recall ? name : reference.group("as"),
                    reference.group("form"),
                    mode.equals("!"),
                    !reference.group("capital").isEmpty(),
                    filter == null ? null : Filter.valueOf(filter.toUpperCase(Locale.ROOT))));
            end = reference.end();
        }
        if (end < alternative.length()) {
            parts.add(literal(alternative.substring(end)));
        }
        return List.copyOf(parts);
    }

    private static Literal literal(String text) {
        if (MALFORMED.matcher(text).find()) {
            throw new IllegalArgumentException("grammar: cannot read the reference in '" + text + "'");
        }
        return new Literal(text);
    }

    private void checkReferences(Rule rule) {
        if (rule instanceof Sentences sentences) {
            for (List<Part> alternative : sentences.alternatives) {
                for (Part part : alternative) {
                    if (part instanceof Reference reference && reference.rule != null) {
                        check(reference);
                    }
                }
            }
        }
    }

    private void check(Reference draw) {
        Rule rule = rules.get(draw.rule);
        if (rule == null && !draw.rule.equals(LINE_BREAK)) {
            throw new IllegalArgumentException("grammar: no rule is named '" + draw.rule + "'");
        }
        if (rule instanceof Words words && draw.form != null && !words.forms.contains(draw.form)) {
            throw new IllegalArgumentException(
                    "grammar: '" + draw.rule + "' has no form '" + draw.form + "', only " + words.forms);
        }
        if (rule instanceof Sentences && (draw.form != null || draw.variable != null)) {
            throw new IllegalArgumentException(
                    "grammar: only words are remembered or have forms; '" + draw.rule + "' is a rule of sentences");
        }
    }

    /** The default forms of a rule of words, in the order written. */
    List<String> words(String rule) {
        return ((Words) rules.get(rule)).rows.stream().map(List::getFirst).toList();
    }

    /** Draws one text of the rule {@code start}, a rule of sentences. */
    Derivation derive(String start, RandomGenerator random) {
        Map<String, Value> memory = new LinkedHashMap<>();
        StringBuilder out = new StringBuilder();
        expand((Sentences) rules.get(start), memory, random, out);
        Map<String, String> remembered = new LinkedHashMap<>();
        memory.forEach((variable, value) -> remembered.put(variable, value.forms.getFirst()));
        return new Derivation(ARTICLE.matcher(out).replaceAll("$1n "), remembered);
    }

    private void expand(Sentences rule, Map<String, Value> memory, RandomGenerator random, StringBuilder out) {
        int[] weights = rule.cumulativeWeights;
        int ticket = random.nextInt(weights[weights.length - 1]);
        int chosen = 0;
        while (weights[chosen] <= ticket) {
            chosen++;
        }
        for (Part part : rule.alternatives.get(chosen)) {
            switch (part) {
                case Literal(String text) -> out.append(text);
                case Reference reference -> refer(reference, memory, random, out);
            }
        }
    }

    private void refer(Reference reference, Map<String, Value> memory, RandomGenerator random, StringBuilder out) {
        StringBuilder text = new StringBuilder();
        if (reference.rule == null) {
            text.append(form(recall(reference.variable, memory), reference.form));
        } else if (reference.rule.equals(LINE_BREAK)) {
            text.append('\n');
        } else if (rules.get(reference.rule) instanceof Words words) {
            Value value = draw(reference, words, memory, random);
            if (reference.variable != null) {
                memory.put(reference.variable, value);
            }
            text.append(form(value, reference.form));
        } else {
            expand((Sentences) rules.get(reference.rule), memory, random, text);
        }
        if (reference.capital && !text.isEmpty()) {
            text.setCharAt(0, Character.toUpperCase(text.charAt(0)));
        }
        if (!reference.silent) {
            out.append(reference.filter == null ? text : reference.filter.apply(text.toString()));
        }
    }

    private static Value draw(Reference reference, Words words, Map<String, Value> memory, RandomGenerator random) {
        Value value;
        do {
            value = new Value(reference.rule, words.rows.get(random.nextInt(words.rows.size())));
        } while (reference.variable != null && memory.containsValue(value));
        return value;
    }

    private static Value recall(String variable, Map<String, Value> memory) {
        Value value = memory.get(variable);
        if (value == null) {
            throw new IllegalArgumentException("grammar: $" + variable + " is recalled before anything is drawn as it");
        }
        return value;
    }

    private String form(Value value, String form) {
        if (form == null) {
            return value.forms.getFirst();
        }
        int index = ((Words) rules.get(value.rule)).forms.indexOf(form);
        if (index < 0) {
            throw new IllegalArgumentException("grammar: '" + value.rule + "' has no form '" + form + "'");
        }
        return value.forms.get(index);
    }
}
