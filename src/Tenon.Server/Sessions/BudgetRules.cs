using System.Text.RegularExpressions;
using Tenon.Server.Billing;
using Tenon.Server.Harness;
using Tenon.Server.Http;
using Tenon.Wire;
using Tenon.Wire.Events;
using Tenon.Wire.Sessions;

namespace Tenon.Server.Sessions;

/// <summary>What a budget may be, how it may change, and what a session at its budget accepts (api B.3, G).</summary>
public static partial class BudgetRules
{
    private const string Path = "budget";
    private const string AmountPath = "budget.max_list_cost.amount";

    /// <summary>The budget of a new session; null when none is asked for.</summary>
    /// <exception cref="ApiException">400 with the field.</exception>
    public static Budget? Check(Budget? budget, SessionAgent agent, Prices prices)
    {
        if (budget is null)
        {
            return null;
        }

        Check(budget);
        var roster = Roster.Of(agent);
        var unpriced = roster.Saved.Select(member => member.Model.Id).Prepend(agent.Model.Id)
            .Concat(roster.AdvisorModel is { } advisor ? [advisor] : []).FirstOrDefault(model => !prices.Has(model));
        return unpriced is null ? budget : throw ApiException.Invalid(
            Path, $"model_not_budgetable: no list price is available for model '{unpriced}'.");
    }

    /// <summary>The session's budget after an update.</summary>
    /// <exception cref="ApiException">400 with the field.</exception>
    public static Budget? Change(Patch<Budget> update, SessionLog log)
    {
        if (update is not { IsGiven: true, Value: { } budget })
        {
            return update.Or(log.History.Budget);
        }

        Check(budget);
        if (log.History.Budget is null)
        {
            throw ApiException.Invalid(
                Path, "budget_create_only: a budget can only be set when the session is created.");
        }

        if (log.History.Usage.HasUnpriced)
        {
            throw ApiException.Invalid(
                Path, "model_not_budgetable: the session has used a model without a list price; remove the budget.");
        }

        return Prices.ToUsd(budget.MaxListCost) > log.CostUsd ? budget : throw ApiException.Invalid(
            "budget.max_list_cost",
            "budget_not_raised: budget.max_list_cost must be greater than the session's consumed list cost.");
    }

    /// <summary>Refuses whatever would start new work in a session at its budget.</summary>
    /// <exception cref="ApiException">400 with the event's place and what is accepted.</exception>
    public static void CheckEvents(IReadOnlyList<SessionEvent> events, SessionLog log)
    {
        if (!log.IsAtBudget)
        {
            return;
        }

        for (var i = 0; i < events.Count; i++)
        {
            if (events[i] is not (UserToolConfirmation or UserToolResult or UserCustomToolResult or UserInterrupt))
            {
                throw ApiException.Invalid($"events.{i}.type",
                    $"'{events[i].Type}' would start new work, and the session is at its budget: until that is raised "
                    + "or removed, it accepts only user.tool_confirmation, user.tool_result, "
                    + "user.custom_tool_result and user.interrupt.");
            }
        }
    }

    private static void Check(Budget budget)
    {
        if (budget.Type != "limit")
        {
            throw ApiException.Invalid($"{Path}.type", $"'{budget.Type}' is not limit.");
        }

        if (!Cents().IsMatch(budget.MaxListCost.Amount))
        {
            throw ApiException.Invalid(AmountPath,
                $"'{budget.MaxListCost.Amount}' is not a whole number of cents above zero, such as \"125\".");
        }

        if (budget.MaxListCost.Currency != "USD")
        {
            throw ApiException.Invalid(
                "budget.max_list_cost.currency", $"'{budget.MaxListCost.Currency}' is not USD.");
        }
    }

    // Fifteen digits are more money than there is, and exact in every client's numbers.
    [GeneratedRegex(@"^[1-9][0-9]{0,14}\z")]
    private static partial Regex Cents();
}
