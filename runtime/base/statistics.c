#include "runtime/base/statistics.h"

#include <math.h>

double sp_statistics_mean(const double *values, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return sum / (double)count;
}

double sp_statistics_deviation(const double *values, size_t count)
{
    double mean = sp_statistics_mean(values, count), sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return count < 2 ? NAN : sqrt(sum / (double)(count - 1));
}

/* The denominator 1 + d1 / (1 + d2 / (1 + ...)) of the incomplete beta function's continued fraction (NIST Digital
 * Library of Mathematical Functions, 8.17.22), from the front by Lentz's method; it converges fast for x < (a + 1) / (a
 * + b + 2). */
static double beta_fraction(double x, double a, double b)
{
    double c = 1, d = 0, f = 1;

    for (int j = 1; j < 1000; j++) {
        double m = j / 2; /* whole */
        double term = j % 2 ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                            : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));

        d = 1 / (1 + term * d);
        c = 1 + term / c;
        f *= c * d;
        if (fabs(c * d - 1) < 1e-15)
            break;
    }
    return f;
}

/* I_x(a, b), the regularized incomplete beta function. */
static double beta(double x, double a, double b)
{
    double front;

    if (x <= 0 || x >= 1)
        return x <= 0 ? 0 : 1;
    if (x > (a + 1) / (a + b + 2))
        return 1 - beta(1 - x, b, a);
    front = exp(a * log(x) + b * log1p(-x) + lgamma(a + b) - lgamma(a) - lgamma(b));
    return front / (a * beta_fraction(x, a, b));
}

double sp_statistics_t_tails(double t, double freedom)
{
    return beta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

double sp_statistics_t_critical(double tails, double freedom)
{
    double low = 0, high = 1;

    while (sp_statistics_t_tails(high, freedom) > tails && high < 1e150)
        high *= 2;
    for (int i = 0; i < 200 && low < high; i++) {
        double middle = low + (high - low) / 2;

        if (sp_statistics_t_tails(middle, freedom) > tails)
            low = middle;
        else
            high = middle;
    }
    return high;
}

void sp_statistics_holm(double *adjusted, const double *p, size_t count)
{
    /* The k-th smallest is multiplied by the number of those from it on; an adjusted value is the largest product so
     * far. */
    for (size_t i = 0; i < count; i++) {
        double largest = 0;

        for (size_t j = 0; j < count; j++) {
            size_t left = 0;

            for (size_t k = 0; k < count; k++)
                left += p[k] > p[j] || (p[k] == p[j] && k >= j);
            if (p[j] < p[i] || (p[j] == p[i] && j <= i))
                largest = fmax(largest, fmin(1, (double)left * p[j]));
        }
        adjusted[i] = isnan(p[i]) ? NAN : largest;
    }
}
