namespace Tenon.Server.Egress;

/// <summary>What is replaced for one host, made once for as long as its credentials stay as they are.</summary>
internal sealed class CredentialWords
{
    private readonly IReadOnlyList<SessionCredential> _credentials;
    private readonly Replacements _inBody;
    private readonly Replacements _inForm;
    private readonly Replacements _inJson;

    public CredentialWords(IReadOnlyList<SessionCredential> credentials)
    {
        _credentials = credentials;

        // What would end a field and begin another one is not put there.
        InHeader = Of(one => one.Credential.InHeader && !one.Credential.Secret.Any(char.IsControl), SecretForms.Raw);
        _inBody = Of(one => one.Credential.InBody, SecretForms.Raw);
        _inForm = Of(one => one.Credential.InBody, SecretForms.Form);
        _inJson = Of(one => one.Credential.InBody, SecretForms.Json);
        Answers = new Replacements(credentials.SelectMany((one, i) =>
            SecretForms.Of(one.Credential.Secret).Select(form => (form, one.Placeholder, i))));
    }

    public Replacements InHeader { get; }

    public Replacements Answers { get; }

    public bool AreOf(IReadOnlyList<SessionCredential> credentials) => _credentials.Count == credentials.Count
        && _credentials.Zip(credentials).All(pair => pair.First.Placeholder == pair.Second.Placeholder
            && pair.First.Credential.Secret == pair.Second.Credential.Secret
            && pair.First.Credential.InHeader == pair.Second.Credential.InHeader
            && pair.First.Credential.InBody == pair.Second.Credential.InBody);

    public string IdOf(int index) => _credentials[index].Credential.Id;

    /// <summary>A secret is written as the body's kind wants it: what it means is the secret itself.</summary>
    public Replacements InBody(HttpHead request)
    {
        var kind = (request.All("content-type").FirstOrDefault() ?? "").Split(';')[0].Trim().ToLowerInvariant();
        return kind == "application/x-www-form-urlencoded" ? _inForm
            : kind is "application/json" || kind.EndsWith("+json", StringComparison.Ordinal) ? _inJson
            : _inBody;
    }

    private Replacements Of(Func<SessionCredential, bool> chosen, Func<string, string> form) => new(
        _credentials.Select((one, i) => (one, i)).Where(pair => chosen(pair.one))
            .Select(pair => (pair.one.Placeholder, form(pair.one.Credential.Secret), pair.i)));
}
