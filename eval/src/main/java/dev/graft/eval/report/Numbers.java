package dev.graft.eval.report;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;

/** Numbers as text, the same in every locale. */
final class Numbers {

    private Numbers() {}

    /** Returns a number with at most six significant digits. */
    static String text(double value) {
        if (!Double.isFinite(value)) {
            return Double.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
        }
        if (value == 0) {
            return "0";
        }
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(6)).stripTrailingZeros();
        double size = Math.abs(value);
        String text = size >= 1e-4 && size < 1e9 ? rounded.toPlainString() : rounded.toString();
        return text.replace('-', '−').replace("E−", "e-").replace("E+", "e");
    }

    /** Returns a number with the decimals that tell multiples of {@code step} apart. */
    static String tick(double value, double step) {
        double size = Math.max(Math.abs(value), step);
        if (size >= 1e7 || step < 1e-6) {
            return text(value);
        }
        int decimals = Math.max(0, (int) -Math.floor(Math.log10(step) + 1e-9));
        String text = String.format(Locale.ROOT, "%." + decimals + "f", value);
        return text.replace("-", "−");
    }

    /** A length or position in a drawing. */
    static String position(double value) {
        String text = String.format(Locale.ROOT, "%.1f", value);
        return text.endsWith(".0") ? text.substring(0, text.length() - 2) : text;
    }
}
