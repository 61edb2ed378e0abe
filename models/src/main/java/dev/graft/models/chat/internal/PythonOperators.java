package dev.graft.models.chat.internal;

import dev.graft.models.chat.internal.TemplateValues.Lazy;
import dev.graft.models.chat.internal.TemplateValues.Markup;
import dev.graft.models.chat.internal.TemplateValues.Tuple;
import dev.graft.models.chat.internal.TemplateValues.Undefined;
import dev.graft.models.chat.internal.TemplateValues.View;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Python's truth, equality, order and arithmetic. */
final class PythonOperators {

    /** The maximum length of texts and lists. Longer ones are rejected, so that a template cannot exhaust the memory. */
    private static final long MAX_LENGTH = 1L << 26;

    private PythonOperators() {}

    static boolean truth(@Nullable Object value) {
        if (value == null || value instanceof Undefined) {
            return false;
        }
        if (value instanceof Boolean truth) {
            return truth;
        }
        if (value instanceof Long number) {
            return number != 0;
        }
        if (value instanceof Double number) {
            return number != 0;
        }
        if (value instanceof String text) {
            return !text.isEmpty();
        }
        if (value instanceof List<?> list) {
            return !list.isEmpty();
        }
        if (value instanceof Map<?, ?> map) {
            return !map.isEmpty();
        }
        if (value instanceof View view) {
            return !view.items().isEmpty();
        }
        if (value instanceof Markup markup) {
            return !markup.text().isEmpty();
        }
        return true;
    }

    private static BigInteger integer(Object value) {
        if (value instanceof Boolean truth) {
            return truth ? BigInteger.ONE : BigInteger.ZERO;
        }
        return value instanceof BigInteger big ? big : BigInteger.valueOf((Long) value);
    }

    static double real(Object value) {
        return value instanceof Double number ? number : integer(value).doubleValue();
    }

    static boolean equal(@Nullable Object a, @Nullable Object b) {
        if (a == b) {
            return !(a instanceof Double number && number.isNaN());
        }
        if (a == null || b == null) {
            return false;
        }
        if (TemplateValues.isNumber(a) && TemplateValues.isNumber(b)) {
            return compareNumbers(a, b) == 0;
        }
        if (a instanceof Undefined && b instanceof Undefined) {
            return true;
        }
        if (a instanceof Markup || b instanceof Markup) {
            Object left = a instanceof Markup markup ? markup.text() : a;
            Object right = b instanceof Markup markup ? markup.text() : b;
            return left.equals(right);
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            if (!TemplateValues.type(a).equals(TemplateValues.type(b)) || x.size() != y.size()) {
                return false;
            }
            Iterator<?> right = y.iterator();
            return x.stream().allMatch(item -> equal(item, right.next()));
        }
        if (a instanceof Map<?, ?> x && b instanceof Map<?, ?> y) {
            return x.size() == y.size()
                    && x.entrySet().stream()
                            .allMatch(e -> y.containsKey(e.getKey()) && equal(e.getValue(), y.get(e.getKey())));
        }
        return a.equals(b);
    }

    private static int compareNumbers(Object a, Object b) {
        if (a instanceof Double x && (x.isNaN() || x.isInfinite())
                || b instanceof Double y && (y.isNaN() || y.isInfinite())) {
            double x = real(a);
            double y = real(b);
            return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2; // 2: not a number, which is neither
        }
        return decimal(a).compareTo(decimal(b));
    }

    private static BigDecimal decimal(Object value) {
        return value instanceof Double number ? new BigDecimal(number) : new BigDecimal(integer(value));
    }

    static boolean compare(String operator, @Nullable Object a, @Nullable Object b) {
        return switch (operator) {
            case "==" -> equal(a, b);
            case "!=" -> !equal(a, b);
            case "in" -> contains(b, a);
            case "not in" -> !contains(b, a);
            case "<" -> order(operator, a, b) == -1;
            case ">" -> order(operator, a, b) == 1;
            case "<=" -> order(operator, a, b) <= 0;
            case ">=" -> {
                int order = order(operator, a, b);
                yield order == 0 || order == 1;
            }
            default -> throw new IllegalArgumentException(operator);
        };
    }

    /** Compares two values: -1, 0 or 1, and 2 where a NaN prevents an order. */
    static int order(String operator, @Nullable Object a, @Nullable Object b) {
        if (a instanceof String x && b instanceof String y) {
            return compareText(x, y);
        }
        if (TemplateValues.isNumber(a) && TemplateValues.isNumber(b)) {
            return compareNumbers(java.util.Objects.requireNonNull(a), java.util.Objects.requireNonNull(b));
        }
        if (a instanceof List<?> x
                && b instanceof List<?> y
                && TemplateValues.type(a).equals(TemplateValues.type(b))) {
            for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
                if (!equal(x.get(i), y.get(i))) {
                    return order(operator, x.get(i), y.get(i));
                }
            }
            return Integer.compare(x.size(), y.size());
        }
        TemplateValues.requireDefined(a);
        TemplateValues.requireDefined(b);
        throw new TemplateError("'" + operator + "' not supported between " + TemplateValues.type(a) + " and "
                + TemplateValues.type(b));
    }

    private static int compareText(String x, String y) {
        int[] a = x.codePoints().toArray();
        int[] b = y.codePoints().toArray();
        return Integer.signum(java.util.Arrays.compare(a, b));
    }

    static boolean contains(@Nullable Object container, @Nullable Object item) {
        if (container instanceof String text) {
            TemplateValues.requireDefined(item);
            if (item instanceof String part) {
                return text.contains(part);
            }
            throw new TemplateError("'in' a str needs a str, not " + TemplateValues.type(item));
        }
        if (container instanceof Map<?, ?> map) {
            return map.containsKey(DictKeys.of(item));
        }
        if (container instanceof Undefined) {
            return false;
        }
        if (container instanceof List || container instanceof View || container instanceof Lazy) {
            return PythonSequences.items(container).stream().anyMatch(other -> equal(other, item));
        }
        throw new TemplateError(TemplateValues.type(container) + " contains nothing ('in')");
    }

    static Object unary(String operator, @Nullable Object value) {
        if (operator.equals("not")) {
            return !truth(value);
        }
        TemplateValues.requireDefined(value);
        if (value == null || !TemplateValues.isNumber(value)) {
            throw new TemplateError("'" + operator + "' of a " + TemplateValues.type(value));
        }
        if (value instanceof Double number) {
            return operator.equals("-") ? -number : number;
        }
        BigInteger number = integer(value);
        return TemplateValues.normal(operator.equals("-") ? number.negate() : number);
    }

    static Object binary(String operator, @Nullable Object a, @Nullable Object b) {
        TemplateValues.requireDefined(a);
        TemplateValues.requireDefined(b);
        if (a instanceof Markup || b instanceof Markup) {
            throw new TemplateError("'" + operator
                    + "' with the result of 'safe' would escape HTML in the other text; use ~, or leave 'safe' out");
        }
        if (a != null && b != null) {
            if (TemplateValues.isNumber(a) && TemplateValues.isNumber(b)) {
                return arithmetic(operator, a, b);
            }
            if (operator.equals("+")) {
                if (a instanceof String x && b instanceof String y) {
                    requireShort((long) x.length() + y.length());
                    return x + y;
                }
                if (a instanceof List<?> x
                        && b instanceof List<?> y
                        && TemplateValues.type(a).equals(TemplateValues.type(b))) {
                    requireShort((long) x.size() + y.size());
                    List<@Nullable Object> sum = new ArrayList<>(x);
                    sum.addAll(y);
                    return a instanceof Tuple ? new Tuple(sum) : sum;
                }
            }
            if (operator.equals("*")) {
                Object repeated = TemplateValues.isNumber(a) ? repeat(b, a) : repeat(a, b);
                if (repeated != null) {
                    return repeated;
                }
            }
            if (operator.equals("%") && a instanceof String format) {
                return PythonFormat.percent(
                        format, b instanceof Tuple tuple ? tuple : java.util.Collections.singletonList(b));
            }
        }
        throw new TemplateError("'" + operator + "' not supported between " + TemplateValues.type(a) + " and "
                + TemplateValues.type(b));
    }

    private static @Nullable Object repeat(Object value, Object times) {
        if (!(times instanceof Long) && !(times instanceof Boolean)) {
            return null;
        }
        long n = Math.max(0, integer(times).longValue());
        if (value instanceof String text) {
            requireShort(n == 0 ? 0 : Math.multiplyHigh(text.length(), n) != 0 ? Long.MAX_VALUE : text.length() * n);
            return text.repeat((int) n);
        }
        if (value instanceof List<?> list) {
            requireShort(n > MAX_LENGTH ? n : list.size() * n);
            List<@Nullable Object> items = new ArrayList<>();
            for (long i = 0; i < n; i++) {
                items.addAll(list);
            }
            return value instanceof Tuple ? new Tuple(items) : items;
        }
        return null;
    }

    static void requireShort(long length) {
        if (length > MAX_LENGTH || length < 0) {
            throw new TemplateError("makes a value of " + length + " items, more than " + MAX_LENGTH);
        }
    }

    private static Object arithmetic(String operator, Object a, Object b) {
        boolean whole = !(a instanceof Double) && !(b instanceof Double);
        if ("/ // %".contains(operator) && real(b) == 0) {
            throw new TemplateError("division by zero");
        }
        if (whole && !operator.equals("/")) {
            BigInteger x = integer(a);
            BigInteger y = integer(b);
            return switch (operator) {
                case "+" -> TemplateValues.normal(x.add(y));
                case "-" -> TemplateValues.normal(x.subtract(y));
                case "*" -> TemplateValues.normal(x.multiply(y));
                case "//" -> TemplateValues.normal(floorDivide(x, y));
                case "%" -> TemplateValues.normal(x.subtract(floorDivide(x, y).multiply(y)));
                case "**" -> power(x, y);
                default -> throw new IllegalArgumentException(operator);
            };
        }
        double x = real(a);
        double y = real(b);
        return switch (operator) {
            case "+" -> x + y;
            case "-" -> x - y;
            case "*" -> x * y;
            case "/" -> x / y;
            case "//" -> Math.floor((x - floorRemainder(x, y)) / y + 0.5);
            case "%" -> floorRemainder(x, y);
            case "**" -> Math.pow(x, y);
            default -> throw new IllegalArgumentException(operator);
        };
    }

    private static double floorRemainder(double x, double y) {
        double remainder = x % y;
        return remainder != 0 && (remainder < 0) != (y < 0) ? remainder + y : remainder;
    }

    private static BigInteger floorDivide(BigInteger x, BigInteger y) {
        BigInteger[] both = x.divideAndRemainder(y);
        return both[1].signum() != 0 && both[1].signum() != y.signum() ? both[0].subtract(BigInteger.ONE) : both[0];
    }

    private static Object power(BigInteger x, BigInteger y) {
        if (y.signum() < 0) {
            return Math.pow(x.doubleValue(), y.doubleValue());
        }
        if (y.bitLength() > 31 || (long) x.bitLength() * y.intValue() > 1 << 16) {
            throw new TemplateError("the power " + x + " ** " + y + " is too large");
        }
        return TemplateValues.normal(x.pow(y.intValue()));
    }
}
