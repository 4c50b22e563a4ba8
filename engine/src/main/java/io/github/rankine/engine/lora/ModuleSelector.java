package io.github.rankine.engine.lora;

import io.github.rankine.engine.RankineException;
import java.util.List;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;

/** Names a set of modules the way PEFT's {@code target_modules} and {@code exclude_modules} do. */
public sealed interface ModuleSelector {
    /** Whether the module of that dotted name is meant; {@code head} tells that it is the output head. */
    boolean selects(String module, boolean head);

    /** Every linear layer but the output head: PEFT's {@code "all-linear"}. */
    record AllLinear() implements ModuleSelector {
        @Override
        public boolean selects(String module, boolean head) {
            return !head;
        }
    }

    /** Names that a module's name equals, or ends with after a dot: a list in {@code adapter_config.json}. */
    record Suffixes(List<String> names) implements ModuleSelector {
        public Suffixes {
            names = List.copyOf(names);
        }

        @Override
        public boolean selects(String module, boolean head) {
            return names.stream().anyMatch(name -> module.equals(name) || module.endsWith("." + name));
        }
    }

    /** An expression that matches the whole name: a string in {@code adapter_config.json}. */
    record Expression(Pattern pattern) implements ModuleSelector {
        /** @throws RankineException when {@code expression} is not a regular expression */
        public static Expression of(String expression) {
            try {
                return new Expression(Pattern.compile(expression));
            } catch (PatternSyntaxException e) {
                throw new RankineException(
                        "target modules: '" + expression + "' is not a regular expression: " + e.getDescription(), e);
            }
        }

        @Override
        public boolean selects(String module, boolean head) {
            return pattern.matcher(module).matches();
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Expression e && e.pattern.pattern().equals(pattern.pattern());
        }

        @Override
        public int hashCode() {
            return pattern.pattern().hashCode();
        }
    }
}
