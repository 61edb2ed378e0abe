package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Markup;
import dev.graft.models.chat.internal.TemplateValues.Tuple;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Keys of dicts: Python's 1, 1.0 and True are one key. */
final class DictKeys {

    private DictKeys() {}

    static @Nullable Object of(@Nullable Object key) {
        if (key instanceof Boolean truth) {
            return truth ? 1L : 0L;
        }
        if (key instanceof Double number && number == Math.rint(number) && Math.abs(number) < 1L << 53) {
            return number.longValue();
        }
        if (key instanceof Markup markup) {
            return markup.text();
        }
        if (key instanceof Map || (key instanceof List && !(key instanceof Tuple))) {
            throw new TemplateError("a " + TemplateValues.type(key) + " cannot be a key");
        }
        return key;
    }
}
